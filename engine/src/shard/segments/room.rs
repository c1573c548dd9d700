//! What keeps batches from being taken to rest: a full disk, and a manifest that has no room for more runs. Captures go
//! on all the same until the journal is full, so whoever watches hears of both when they begin.

use super::super::Shard;
use super::super::report::Report;
use super::super::request::Effect;
use super::super::rest::RestPlan;
use super::Segments;
use crate::io::DiskError;
use crate::key_run::KeyRun;
use crate::marks::{self, Mark};
use crate::partition::Partition;
use crate::partition::keys::KEY_RUN_SET_BYTES;
use crate::segment::merge::{MergePlan, Room};
use crate::segment::{Run, SegmentTable};

/// Bytes that a run, or a key run, takes in a manifest at most.
const RUN_BYTES: u64 = {
    let key_run = KeyRun::ENCODED_BYTES + KEY_RUN_SET_BYTES;
    (if key_run > Run::ENCODED_BYTES { key_run } else { Run::ENCODED_BYTES }) as u64
};

/// What is to be written now.
pub(super) enum Planned {
    /// Nothing: there is no need.
    Nothing,
    /// Something, and a manifest has no room for its runs.
    NoRoom {
        /// Runs that there are.
        run_count: usize,
        /// Runs that would come.
        wanted_run_count: usize,
    },
    /// This.
    Write(RestPlan),
    /// Runs that there are, so that a manifest has room for those that come.
    Merge(MergePlan),
}

impl Segments {
    /// Whether the last write of a segment file found no space.
    pub(in crate::shard) fn is_disk_full(&self) -> bool {
        self.disk_full
    }

    /// Whether what should be written has no room for its runs in a manifest.
    pub(in crate::shard) fn is_manifest_full(&self) -> bool {
        self.manifest_full
    }

    /// Bytes of batches in memory above which what is at rest is let go.
    pub(in crate::shard) fn memory_bytes_max(&self) -> usize {
        self.memory_bytes_max
    }

    /// Bytes of a manifest that so many runs and all files take.
    pub(in crate::shard) fn manifest_run_bytes(&self, run_count: usize) -> u64 {
        run_count as u64 * RUN_BYTES + self.table.len() as u64 * SegmentTable::FILE_BYTES as u64
    }

    /// Bytes of a manifest that runs and files may take.
    pub(in crate::shard) fn manifest_run_bytes_max(&self) -> u64 {
        self.manifest_bytes_max
    }

    /// How many more runs a manifest has room for beside so many, each in a file of its own.
    pub(super) fn room_run_count(&self, run_count: usize) -> usize {
        const BYTES_EACH: u64 = RUN_BYTES + SegmentTable::FILE_BYTES as u64;
        let room_bytes = self.manifest_bytes_max.saturating_sub(self.manifest_run_bytes(run_count));
        usize::try_from(room_bytes / BYTES_EACH).unwrap_or(usize::MAX)
    }

    /// How much room that is for what comes unasked: a second half of a manifest is for what cannot wait.
    pub(in crate::shard) fn room(&self, run_count: usize) -> Room {
        if self.manifest_run_bytes(run_count) > self.manifest_bytes_max / 2 { Room::Short } else { Room::Enough }
    }
}

impl Shard {
    /// Says when the manifest begins or ceases to have no room for what should be written.
    pub(super) fn note_manifest_full(&mut self, planned: &Planned) {
        // A shard that closes makes no room first.
        if self.stopping {
            return;
        }
        let was_full = self.segments.manifest_full;
        let is_full = match planned {
            Planned::NoRoom { .. } => true,
            // What comes next shows whether that made room.
            Planned::Merge(_) => was_full,
            Planned::Write(plan) => was_full && plan.write.is_partial,
            Planned::Nothing => false,
        };
        self.segments.manifest_full = is_full;
        match *planned {
            Planned::NoRoom { run_count, wanted_run_count } if !was_full => {
                marks::hit(Mark::ManifestFull);
                self.keyed.merging.look_again();
                let bytes_max = self.segments.manifest_bytes_max;
                self.report(Report::ManifestFull { run_count, wanted_run_count, bytes_max });
            }
            _ if was_full && !is_full => self.report(Report::ManifestFullOver),
            _ => {}
        }
    }

    /// Says when segment files begin or cease to find no space. `error`: what they found, if they found none.
    pub(super) fn note_disk_full(&mut self, error: Option<DiskError>) {
        let was_full = std::mem::replace(&mut self.segments.disk_full, error.is_some());
        match error {
            Some(error) if !was_full => {
                marks::hit(Mark::DiskFull);
                self.report(Report::DiskFull(error));
            }
            None if was_full => {
                marks::hit(Mark::DiskFullOver);
                self.report(Report::DiskFullOver);
            }
            _ => {}
        }
    }

    /// Tells whoever keeps a log.
    pub(in crate::shard) fn report(&mut self, report: Report) {
        self.effects.push(Effect::Report(report));
    }

    /// Runs and key runs of all partitions; a gap takes no more room in a manifest.
    pub(in crate::shard) fn run_count(&self) -> usize {
        let of_keys = |partition: &Partition| partition.keys().map_or(0, |keys| keys.all_runs().count());
        let count = |partition: &Partition| partition.run_count() + partition.gap_count() + of_keys(partition);
        self.partitions.values().map(count).sum()
    }
}
