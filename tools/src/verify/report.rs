//! What a verification found, for people and as JSON.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::finding::{Finding, Severity, Verdict, verdict};
use super::shard::{Checked, ShardReport};
use crate::size::{Size, counted};

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

    /// What it comes to in one line, with what to do next; nothing if the directory is clean. What was found stands
    /// in the answer itself.
    pub fn complaint(&self) -> Option<String> {
        let (decisive, what, general_advice) = match self.verdict {
            Verdict::Clean => return None,
            Verdict::CannotTell => (
                Severity::CannotTell,
                "it is not known whether it is whole",
                "check permissions and the kernel log for disk errors, then verify again",
            ),
            Verdict::Damage => (
                Severity::Damage,
                "it is damaged",
                "keep a copy of it as it is, find the cause (disk, memory, kernel log) and look closer with florin \
                 inspect before anything writes to it again",
            ),
        };
        let decisive: Vec<_> = self.all_findings().filter(|finding| finding.severity == decisive).collect();
        let advice = decisive.first()?.advice.as_deref().unwrap_or(general_advice);
        let findings = counted(decisive.len() as u64, "finding", "findings");
        Some(format!("{}: {what} ({findings} on standard output): {advice}", self.directory.display()))
    }
}

impl Checked {
    fn words(&self) -> String {
        let superblocks = counted(self.superblock_copy_count, "superblock copy", "superblock copies");
        let manifests = counted(self.manifest_copy_count, "manifest copy", "manifest copies");
        let sections = counted(self.section_count, "section", "sections");
        let files = counted(self.journal_file_count, "journal file", "journal files");
        let blocks = counted(self.block_count, "block", "blocks");
        let entries = counted(self.entry_count, "entry", "entries");
        let batches = counted(self.batch_count, "batch", "batches");
        let records = counted(self.record_count, "record", "records");
        let partitions = counted(self.partition_count, "partition", "partitions");
        let [journal, block, batch] =
            [self.journal_bytes, self.block_bytes, self.batch_bytes].map(|bytes| Size(bytes).rounded());
        let segments = counted(self.segment_count, "segment file", "segment files");
        let stored = counted(self.stored_batch_count, "batch", "batches");
        let stored_bytes = Size(self.stored_batch_bytes).rounded();
        let keys = match self.stored_key_count {
            0 => String::new(),
            count => format!(" and {}", counted(count, "idempotency key", "idempotency keys")),
        };
        format!(
            "{superblocks}, {manifests} ({sections}), {files} ({journal}), {blocks} ({block}), {entries}, {batches} \
             ({batch}), {records}, {partitions}, {segments} with {stored} ({stored_bytes}){keys}"
        )
    }
}
