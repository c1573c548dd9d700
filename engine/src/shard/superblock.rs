//! Keeps the superblock up to date: one write at a time, each from the state of that moment.

use std::collections::BTreeSet;

use crate::format::superblock::{ManifestName, Superblock};
use crate::journal::append::Journal;
use crate::model::{FileIndex, Sequence};

/// A manifest that is durable and not named yet.
#[derive(Clone, Debug)]
pub(super) struct UnnamedManifest {
    pub(super) name: ManifestName,
    /// The last block that it includes.
    pub(super) sequence: Sequence,
    /// Ring files that hold nothing the manifest's state still needs.
    pub(super) free: BTreeSet<FileIndex>,
}

/// The superblock of a shard, as stored and as being written.
#[derive(Debug)]
pub(super) struct SuperblockKeeper {
    stored: Superblock,
    writing: Option<Superblock>,
    manifest: Option<UnnamedManifest>,
    close: bool,
}

/// What became durable with a superblock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled {
    /// A new manifest is in force.
    pub(super) manifest_named: bool,
    /// The journal is closed in order.
    pub(super) closed: bool,
}

impl SuperblockKeeper {
    /// Keeps `stored`, which is durable in both copies.
    pub(super) fn new(stored: Superblock) -> Self {
        Self { stored, writing: None, manifest: None, close: false }
    }

    /// The contents that are durable in both copies.
    pub(super) fn stored(&self) -> &Superblock {
        &self.stored
    }

    /// Name this manifest with the next write.
    pub(super) fn name_manifest(&mut self, manifest: UnnamedManifest) {
        self.manifest = Some(manifest);
    }

    /// The next write states that the journal is closed in order. Everything appended must be durable.
    pub(super) fn close(&mut self) {
        self.close = true;
    }

    /// The contents to write now, if there is a reason and no write is under way.
    pub(super) fn next_write(&mut self, journal: &mut Journal) -> Option<Superblock> {
        if self.writing.is_some() {
            return None;
        }
        let ring_wants = journal.ring_mut().open_spare();
        if !ring_wants && self.manifest.is_none() && !self.close {
            return None;
        }
        Some(self.write_now(journal))
    }

    /// The contents to write now.
    pub(super) fn write_now(&mut self, journal: &mut Journal) -> Superblock {
        assert!(self.writing.is_none(), "one superblock write is under way at a time");
        journal.ring_mut().open_spare();
        let clean = self.close && journal.is_idle();
        let mut next = self.stored.next_generation();
        let manifest = self.manifest.as_ref();
        next.files = journal.ring().describe(|index, file| {
            manifest.is_some_and(|new| new.free.contains(&index) && file.last_sequence <= new.sequence)
        });
        next.manifest = manifest.map_or(next.manifest, |new| new.name);
        next.confirmed_sequence = journal.marks().durable();
        next.confirmed_chain = journal.durable_chain();
        next.clean = clean;
        self.writing = Some(next.clone());
        next
    }

    /// The write that was under way is durable in both copies.
    pub(super) fn written(&mut self, journal: &mut Journal) -> Settled {
        let stored = self.writing.take().expect("a superblock write was under way");
        journal.ring_mut().superblock_durable(&stored.files);
        journal.superblock_confirms(stored.confirmed_sequence);
        let named = self.manifest.as_ref().is_some_and(|manifest| manifest.name == stored.manifest);
        if named {
            self.manifest = None;
        }
        self.close &= !stored.clean;
        let settled = Settled { manifest_named: named, closed: stored.clean };
        self.stored = stored;
        settled
    }
}
