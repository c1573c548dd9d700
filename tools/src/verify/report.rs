//! What a verification found, for people and as JSON.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::finding::{Finding, Severity, Verdict, verdict};
use super::shard::{Checked, ShardReport};
use crate::size::Size;

/// Everything that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The data directory.
    pub directory: PathBuf,
    /// Its id, if that is known.
    pub directory_id: Option<String>,
    /// What it all comes to.
    pub verdict: Verdict,
    /// What was found in the directory itself.
    pub findings: Vec<Finding>,
    /// What was found in each shard.
    pub shards: Vec<ShardReport>,
}

impl Report {
    /// A report of nothing yet.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            directory_id: None,
            verdict: Verdict::Clean,
            findings: Vec::new(),
            shards: Vec::new(),
        }
    }

    /// The report, with the verdict that follows from its findings.
    pub fn concluded(mut self) -> Self {
        self.verdict = verdict(self.all_findings());
        self
    }

    /// Findings of the directory, then of each shard.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.shards.iter().flat_map(|shard| &shard.findings))
    }

    /// The text for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let id = self.directory_id.as_deref().unwrap_or("unknown");
        let _ = writeln!(out, "{} (directory id {id})", self.directory.display());
        for finding in &self.findings {
            let _ = writeln!(out, "  {}", finding.line());
        }
        for shard in &self.shards {
            let _ = writeln!(out, "shard {}: {}", shard.shard, shard.checked.words());
            for part in &shard.not_examined {
                let _ = writeln!(out, "  not examined: {} from byte {} on ({})", part.file, part.position, part.why);
            }
            for finding in &shard.findings {
                let _ = writeln!(out, "  {}", finding.line());
            }
        }
        let verdict = match self.verdict {
            Verdict::Clean => "clean",
            Verdict::CannotTell => "cannot tell",
            Verdict::Damage => "damage",
        };
        let _ = writeln!(out, "verdict: {verdict}");
        out
    }

    /// What is wrong in one line, with what to do next; nothing if the directory is clean.
    pub fn complaint(&self) -> Option<String> {
        let (decisive, what, advice) = match self.verdict {
            Verdict::Clean => return None,
            Verdict::CannotTell => (
                Severity::CannotTell,
                "it is not known whether it is whole",
                "remove what keeps it from being read, then verify again",
            ),
            Verdict::Damage => (
                Severity::Damage,
                "it is damaged",
                "keep a copy of it as it is, find the cause (disk, memory, kernel log) and look closer with florin \
                 inspect before a server writes to it again",
            ),
        };
        let mut findings = self.all_findings().filter(|finding| finding.severity == decisive);
        let first = findings.next()?;
        let more = match findings.count() {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        Some(format!("{}: {what}: {}{more}; {advice}", self.directory.display(), first.line()))
    }
}

impl Checked {
    fn words(&self) -> String {
        let Self { superblock_copy_count, manifest_copy_count, section_count, .. } = self;
        let Self { journal_file_count, block_count, entry_count, batch_count, record_count, partition_count, .. } =
            self;
        format!(
            "{superblock_copy_count} superblock copies, {manifest_copy_count} manifest copies ({section_count} \
             sections), {journal_file_count} journal files ({}), {block_count} blocks ({}), {entry_count} entries, \
             {batch_count} batches ({} bytes), {record_count} records, {partition_count} partitions",
            Size(self.journal_bytes),
            Size(self.block_bytes),
            self.batch_bytes
        )
    }
}
