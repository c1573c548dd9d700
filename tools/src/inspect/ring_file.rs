//! What stands in a ring file, unit by unit, with what recovery makes of it.

use std::collections::{BTreeMap, BTreeSet};

use florin_engine::format::block::{BLOCK_HEADER_BYTES, BlockHead};
use florin_engine::format::superblock::{FileUse, Superblock};
use florin_engine::journal::decision::{Body, Header};
use florin_engine::journal::recovery::{Recovery, Wrong};
use florin_engine::journal::scan::{FileImage, Found};
use florin_engine::model::{FileIndex, Position};
use serde::Serialize;

use super::entries::{self, EntryView};

/// How much of a block is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    /// Its header.
    Blocks,
    /// Its entries as well.
    Entries,
    /// The records of its batches as well.
    Records,
}

/// What recovery makes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// The superblock vouches for it, and it is as it must be.
    Confirmed,
    /// Behind the confirmed part, whole and in order.
    Recovered,
    /// Looks like a last write that was interrupted: the next start cuts it off.
    Cut,
    /// As format left it.
    NeverWritten,
    /// From an earlier lap or epoch.
    Stale,
    /// In a file that is free, or behind the end of one that is sealed: nobody needs or reads it.
    NotNeeded,
    /// Not what was written there.
    Damaged,
}

/// A block.
#[derive(Debug, Serialize)]
pub(super) struct BlockView {
    pub(super) position: u64,
    pub(super) block_bytes: usize,
    pub(super) sequence: u64,
    pub(super) epoch: u64,
    pub(super) lap: u64,
    pub(super) durable_sequence: u64,
    pub(super) entry_count: u32,
    pub(super) payload_bytes: u32,
    pub(super) verdict: Verdict,
    pub(super) problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entries: Option<Vec<EntryView>>,
}

/// Equal units in a row that are not blocks.
#[derive(Debug, Serialize)]
pub(super) struct RunView {
    pub(super) position: u64,
    pub(super) run_bytes: u64,
    pub(super) holds: &'static str,
    pub(super) verdict: Verdict,
    pub(super) problem: Option<String>,
}

/// Something in a ring file.
#[derive(Debug)]
pub(super) enum Item {
    Block(BlockView),
    Run(RunView),
}

/// What recovery said about places, to be looked up by them.
pub(super) struct Judgement<'a> {
    superblock: &'a Superblock,
    damage: BTreeMap<(FileIndex, Position), String>,
    cuts: BTreeSet<(FileIndex, Position)>,
    accepted: BTreeSet<(FileIndex, Position)>,
}

impl<'a> Judgement<'a> {
    /// From everything that recovery found.
    pub(super) fn new(superblock: &'a Superblock, recovery: &Recovery) -> Self {
        let damage = recovery.damage.iter().filter_map(|damage| {
            let what = match &damage.wrong {
                Wrong::Unit(harm) => harm.describe().to_owned(),
                Wrong::Confirmed(what) => what.clone(),
                Wrong::File(_) | Wrong::Missing { .. } => damage.to_string(),
            };
            Some(((damage.file?, damage.position?), what))
        });
        Self {
            superblock,
            damage: damage.collect(),
            cuts: recovery.cuts.iter().map(|cut| (cut.file, cut.position)).collect(),
            accepted: recovery.blocks.iter().map(|block| (block.file, block.position)).collect(),
        }
    }

    /// Everything in a ring file, in the order of position.
    pub(super) fn items(&self, image: &FileImage, detail: Detail) -> Vec<Item> {
        let lap = self.superblock.files[usize::from(image.file.0)].lap;
        let mut items: Vec<Item> = Vec::new();
        let mut position = Position(0);
        while position.0 < image.bytes.len() as u64 {
            let found = image.look(self.superblock.name, lap, position);
            let item = self.item(image, &found, detail);
            match (items.last_mut(), item) {
                (Some(Item::Run(run)), Item::Run(next)) if run.continues_with(&next) => run.run_bytes += next.run_bytes,
                (_, item) => items.push(item),
            }
            position = position.plus(found.reach_bytes);
        }
        items
    }

    fn item(&self, image: &FileImage, found: &Found, detail: Detail) -> Item {
        let (verdict, problem) = self.verdict(found);
        let (position, run_bytes) = (found.position.0, found.reach_bytes);
        let holds = match found.header {
            Header::Block => "block",
            Header::Virgin => "virgin",
            Header::StaleLap => "earlier_lap",
            Header::Misplaced => "misplaced_block",
            Header::Garbage => "no_header",
            Header::Unreadable => "unreadable",
        };
        match (found.header, &found.block) {
            (Header::Block, Some(block)) => {
                let is_whole = detail >= Detail::Entries && found.body == Body::Good;
                let entries = is_whole.then(|| {
                    let bytes = image.block_bytes(found.position, block);
                    let payload =
                        bytes.slice(BLOCK_HEADER_BYTES..BLOCK_HEADER_BYTES + block.head.payload_bytes as usize);
                    entries::views(&payload, block.head.entry_count, detail == Detail::Records)
                });
                Item::Block(BlockView::of(&block.head, verdict, problem, entries))
            }
            _ => Item::Run(RunView { position, run_bytes, holds, verdict, problem }),
        }
    }

    fn verdict(&self, found: &Found) -> (Verdict, Option<String>) {
        let place = (found.file, found.position);
        let file = &self.superblock.files[usize::from(found.file.0)];
        if let Some(what) = self.damage.get(&place) {
            return (Verdict::Damaged, Some(what.clone()));
        }
        if self.accepted.contains(&place) {
            let is_confirmed = found.position.0 < file.confirmed_bytes;
            return (if is_confirmed { Verdict::Confirmed } else { Verdict::Recovered }, None);
        }
        if self.cuts.contains(&place) {
            return (Verdict::Cut, None);
        }
        match (found.header, file.state) {
            (Header::Unreadable, _) => (Verdict::Damaged, Some("the disk cannot read it".to_owned())),
            (Header::Virgin, _) => (Verdict::NeverWritten, None),
            (_, FileUse::Free) if file.lap.0 == 0 => {
                (Verdict::Damaged, Some("the file was never used, and format did not write this".to_owned()))
            }
            (_, FileUse::Free | FileUse::Sealed) => (Verdict::NotNeeded, None),
            (_, FileUse::Open) => (Verdict::Stale, None),
        }
    }
}

impl BlockView {
    fn of(head: &BlockHead, verdict: Verdict, problem: Option<String>, entries: Option<Vec<EntryView>>) -> Self {
        Self {
            position: head.place.position.0,
            block_bytes: head.block_bytes(),
            sequence: head.sequence.0,
            epoch: head.epoch.0,
            lap: head.place.lap.0,
            durable_sequence: head.durable_sequence.0,
            entry_count: head.entry_count,
            payload_bytes: head.payload_bytes,
            verdict,
            problem,
            entries,
        }
    }
}

impl RunView {
    fn continues_with(&self, next: &Self) -> bool {
        (self.holds, self.verdict, &self.problem) == (next.holds, next.verdict, &next.problem)
    }
}

impl Verdict {
    /// The verdict as text shows it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Recovered => "recovered",
            Self::Cut => "cut",
            Self::NeverWritten => "never written",
            Self::Stale => "stale",
            Self::NotNeeded => "not needed",
            Self::Damaged => "DAMAGED",
        }
    }
}
