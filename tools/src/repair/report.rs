//! What a repair found, gives up and did, for people and as JSON.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use florin_engine::model::{Id128, Offset, PartitionId, Realtime, ShardId};
use florin_engine::partition::Gap;
use florin_engine::shard::repair::{RepairError, RepairPlan};
use serde::Serialize;

use crate::size::{Size, counted};
use crate::time::rfc3339;

/// What it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing is damaged.
    Sound,
    /// What was damaged is repaired.
    Repaired,
    /// Something is damaged, and can be repaired at the price that is named.
    Damaged,
    /// Something is damaged or cannot be read, and is not repaired.
    CannotRepair,
}

/// Offsets of a partition that are lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The topic's id.
    pub topic: u64,
    /// The partition's index.
    pub partition: u32,
    /// The first lost offset.
    pub base_offset: u64,
    /// The first offset behind them.
    pub next_offset: u64,
}

/// Idempotency keys of a partition that may be lost: a payment among them that is sent again is stored a second time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyLoss {
    /// The topic's id.
    pub topic: u64,
    /// The partition's index.
    pub partition: u32,
    /// The first offset of the records that they are among.
    pub base_offset: u64,
    /// The first offset behind these.
    pub next_offset: u64,
    /// How many keys it may be, at most.
    pub count_max: u64,
}

/// A shard.
#[derive(Debug, Serialize)]
pub struct ShardReport {
    /// Which.
    pub shard: u16,
    /// What it came to.
    pub outcome: Outcome,
    /// What is damaged, in words.
    pub damage: Vec<String>,
    /// What is given up.
    pub losses: Vec<Loss>,
    /// Idempotency keys that are given up.
    pub lost_keys: Vec<KeyLoss>,
    /// Changes of topics may be among what is lost.
    pub topics_may_be_lost: bool,
    /// Bytes of batches that are left of a damaged journal and are written into segment files.
    pub salvaged_bytes: u64,
    /// Files that are made anew, relative to the directory.
    pub remade: Vec<String>,
    /// Why it is not repaired.
    pub problem: Option<String>,
}

/// The directory.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The data directory.
    pub directory: PathBuf,
    /// Its id.
    pub directory_id: String,
    /// When the loss was, or would have been, accepted.
    pub accepted: String,
    /// What it came to.
    pub outcome: Outcome,
    /// Where copies of what was damaged are kept, relative to the directory.
    pub quarantine: Option<String>,
    /// The shards that were looked at.
    pub shards: Vec<ShardReport>,
}

impl ShardReport {
    /// A shard without damage.
    pub fn sound(shard: ShardId) -> Self {
        Self {
            shard: shard.0,
            outcome: Outcome::Sound,
            damage: Vec::new(),
            losses: Vec::new(),
            lost_keys: Vec::new(),
            topics_may_be_lost: false,
            salvaged_bytes: 0,
            remade: Vec::new(),
            problem: None,
        }
    }

    /// A shard that cannot be repaired.
    pub fn refused(shard: ShardId, error: &RepairError) -> Self {
        Self { outcome: Outcome::CannotRepair, problem: Some(error.to_string()), ..Self::sound(shard) }
    }

    /// A shard that can.
    pub fn of_plan(plan: &RepairPlan, directory: &Path) -> Self {
        let relative = |path: &PathBuf| path.strip_prefix(directory).unwrap_or(path).display().to_string();
        let mut damage: Vec<String> = plan.notes.clone();
        damage.extend(plan.journal_damage.iter().map(ToString::to_string));
        damage
            .extend(plan.lost_blocks.iter().map(|(first, last)| format!("journal blocks {first} to {last} are lost")));
        if plan.end_is_unknown {
            damage.push("journal blocks behind the last one may have been acknowledged and are lost".to_owned());
        }
        for (partition, damaged) in &plan.damaged_runs {
            let (segment, why) = (damaged.run.segment, &damaged.why);
            damage.push(format!("segment file {segment}, partition {partition}: {why}"));
        }
        for (partition, damaged) in &plan.damaged_keys {
            let (segment, why) = (damaged.run.segment, &damaged.why);
            let spare = if damaged.is_spare { "spare " } else { "" };
            damage.push(format!("segment file {segment}, {spare}idempotency keys of partition {partition}: {why}"));
        }
        damage.extend(plan.damaged_indexes.iter().map(|segment| format!("the index of segment file {segment}")));
        Self {
            outcome: Outcome::Damaged,
            damage,
            losses: plan.losses().iter().map(Loss::of).collect(),
            lost_keys: plan.lost_keys().into_iter().map(KeyLoss::of).collect(),
            topics_may_be_lost: plan.end_is_unknown || !plan.lost_blocks.is_empty(),
            salvaged_bytes: plan.salvaged_bytes,
            remade: plan.missing_files().iter().map(relative).collect(),
            ..Self::sound(plan.shard())
        }
    }

    fn put(&self, out: &mut String) {
        let state = match self.outcome {
            Outcome::Sound => "nothing is damaged",
            Outcome::Repaired => "repaired",
            Outcome::Damaged => "damaged, can be repaired",
            Outcome::CannotRepair => "cannot be repaired",
        };
        let _ = writeln!(out, "shard {}: {state}", self.shard);
        if let Some(problem) = &self.problem {
            let _ = writeln!(out, "  {problem}");
        }
        for damage in &self.damage {
            let _ = writeln!(out, "  damage: {damage}");
        }
        let anew = if self.outcome == Outcome::Repaired { "made anew" } else { "to be made anew" };
        for file in &self.remade {
            let _ = writeln!(out, "  {anew}: {file}");
        }
        for loss in &self.losses {
            let _ = writeln!(
                out,
                "  lost: partition {}/{} offsets {} to below {}",
                loss.topic, loss.partition, loss.base_offset, loss.next_offset
            );
        }
        for lost in &self.lost_keys {
            let _ = writeln!(
                out,
                "  lost: up to {} of partition {}/{}, of records at offsets {} to below {}: a payment among them that is sent \
                 again is stored a second time",
                counted(lost.count_max, "idempotency key", "idempotency keys"),
                lost.topic,
                lost.partition,
                lost.base_offset,
                lost.next_offset
            );
        }
        let loses_nothing = self.losses.is_empty() && self.lost_keys.is_empty();
        if self.outcome != Outcome::Sound && self.problem.is_none() && loses_nothing {
            let _ = writeln!(out, "  lost: nothing");
        }
        if self.topics_may_be_lost {
            let _ = writeln!(
                out,
                "  changes of topics may be among what is lost: compare `florin topic list` with what should be there"
            );
        }
        if self.salvaged_bytes > 0 {
            let _ = writeln!(out, "  saved from the journal: {} of batches", Size(self.salvaged_bytes).rounded());
        }
    }
}

impl Loss {
    fn of((partition, gap): &(PartitionId, Gap)) -> Self {
        Self {
            topic: partition.topic.0,
            partition: partition.index,
            base_offset: gap.base_offset.0,
            next_offset: gap.next_offset.0,
        }
    }
}

impl KeyLoss {
    fn of((partition, base_offset, next_offset, count_max): (PartitionId, Offset, Offset, u64)) -> Self {
        Self {
            topic: partition.topic.0,
            partition: partition.index,
            base_offset: base_offset.0,
            next_offset: next_offset.0,
            count_max,
        }
    }
}

impl Report {
    /// Nothing was looked at yet.
    pub fn new(directory: &Path, directory_id: Id128, accepted: Realtime) -> Self {
        Self {
            directory: directory.to_owned(),
            directory_id: directory_id.to_string(),
            accepted: rfc3339(accepted),
            outcome: Outcome::Sound,
            quarantine: None,
            shards: Vec::new(),
        }
    }

    /// The worst of all shards.
    pub fn conclude(&mut self) {
        self.outcome = self.shards.iter().map(|shard| shard.outcome).max().unwrap_or(Outcome::Sound);
    }

    /// The text for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{} (directory id {})", self.directory.display(), self.directory_id);
        self.shards.iter().for_each(|shard| shard.put(&mut out));
        if let Some(quarantine) = &self.quarantine {
            let _ = writeln!(out, "kept in {quarantine}: what was damaged or written over, and this report");
        }
        out
    }

    /// What to do next; nothing if there is nothing to be done.
    pub fn complaint(&self) -> Option<String> {
        let losses: usize = self.shards.iter().map(|shard| shard.losses.len()).sum();
        let lost_keys: u64 = self.shards.iter().flat_map(|shard| &shard.lost_keys).map(|lost| lost.count_max).sum();
        let of_keys = match lost_keys {
            0 => String::new(),
            count => format!(", up to {}", counted(count, "idempotency key", "idempotency keys")),
        };
        match self.outcome {
            Outcome::Sound | Outcome::Repaired => None,
            Outcome::Damaged => Some(format!(
                "nothing was changed. Copy the directory as it is, and restore from a good copy if there is one. To give \
                 up what is listed ({}{}) and go on without it: florin repair {} --accept-loss",
                counted(losses as u64, "stretch of offsets", "stretches of offsets"),
                of_keys,
                self.directory.display()
            )),
            Outcome::CannotRepair => Some(
                "a shard is not repaired, for the reason given there; copy the directory before anything else"
                    .to_owned(),
            ),
        }
    }
}
