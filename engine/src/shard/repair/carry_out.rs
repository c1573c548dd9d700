//! Carries a repair out: what is left goes into fresh segment files, then a manifest, then the superblocks.

use super::{RepairError, RepairPlan, writing};
use crate::checkpoint::slot;
use crate::format::superblock::{RingFile, Superblock};
use crate::io::{Disk, Runtime};
use crate::journal::append::{Journal, JournalStart};
use crate::journal::ring::Ring;
use crate::journal::write::SuperblockFiles;
use crate::limits::BLOCKS_IN_FLIGHT_DEFAULT;
use crate::marks::{self, Mark};
use crate::model::{Now, PartitionId};
use crate::partition::Partition;
use crate::partition::keys::KeyRunSet;
use crate::segment::Run;
use crate::segment::plan::SegmentSizes;
use crate::segment::read::RunReader;
use crate::segment::salvage::{DamagedRun, SalvageWriter};
use crate::segment::write::Writing;
use crate::shard::open::{ShardFiles, checkpoint_recovered};
use crate::shard::replay::replay;
use crate::shard::{Shard, ShardStart};
use std::cell::Cell;

impl RepairPlan {
    /// Carries the plan out. Everything before the superblocks may be interrupted and changes nothing.
    pub async fn carry_out<R: Runtime>(mut self, runtime: &R, now: Now) -> Result<(), RepairError> {
        let disk = runtime.disk();
        if !self.losses().is_empty() {
            marks::hit(Mark::RepairLost);
        }
        let directory = self.directory.clone();
        let unsynced_bytes = Cell::new(0);
        let writing = writing(&directory, &self.superblock, &unsynced_bytes);
        let sizes = SegmentSizes::of(self.superblock.geometry.file_bytes);
        self.missing.make_first(disk, &directory, &self.chosen.superblock).await?;
        let mut writer = SalvageWriter::new(disk, writing, sizes);
        let mut partitions = std::mem::take(&mut self.state.partitions);
        for (id, partition) in &mut partitions {
            let sets = self.rewrite_keys(runtime, writing, sizes, (*id, partition)).await?;
            self.rewrite(disk, writing, &mut writer, *id, partition).await?;
            self.settle_keys(partition, sets);
        }
        writer.finish(&mut self.state.segments).await?;
        self.damaged_indexes.iter().for_each(|segment| self.state.segments.drop_index(*segment));
        self.state.partitions = partitions;
        self.put_in_force(disk, now).await
    }

    fn settle_keys(&mut self, partition: &mut Partition, sets: Vec<KeyRunSet>) {
        let rest_offset = partition.next_offset();
        let Some(keys) = partition.keys_mut() else { return };
        keys.all_runs().for_each(|run| self.state.segments.drop_run(run.segment));
        keys.settle(sets, rest_offset);
        keys.all_runs().for_each(|run| self.state.segments.add_run(run.segment));
    }

    /// Writes what is left of damaged runs, and all that only the journal has, and gives the partition what holds it
    /// now.
    async fn rewrite<D: Disk>(
        &mut self,
        disk: &D,
        writing: Writing<'_>,
        writer: &mut SalvageWriter<'_, D>,
        id: PartitionId,
        partition: &mut Partition,
    ) -> Result<(), RepairError> {
        let damaged: Vec<&DamagedRun> =
            self.damaged_runs.iter().filter(|(of, _)| *of == id).map(|(_, damaged)| damaged).collect();
        let old: Vec<Run> = partition.runs().copied().collect();
        let mut runs = Vec::new();
        let mut lost = Vec::new();
        for run in &old {
            let Some(damaged) = damaged.iter().find(|damaged| damaged.run == *run) else {
                runs.push(*run);
                continue;
            };
            let file = *self.state.segments.get(run.segment).expect("it was read for the plan");
            self.state.segments.close(run.segment);
            let mut reader = RunReader::new(writing.journal_id, writing.shard, id, *run, file);
            let mut found = Vec::new();
            let mut rescued = damaged.rescued.iter().peekable();
            while let Some(chunk) = reader.next(disk, writing.directory).await {
                let chunk = chunk?;
                found.extend(chunk.damaged.iter().map(|damaged| (damaged.base_offset, damaged.next_offset)));
                for stretch in chunk.batches.chunk_by(|batch, next| batch.next_offset() == next.base_offset) {
                    while let Some(before) = rescued.next_if(|batch| batch.base_offset < stretch[0].base_offset) {
                        runs.push(writer.add(&mut self.state.segments, id, vec![before.clone()]).await?);
                    }
                    runs.push(writer.add(&mut self.state.segments, id, stretch.to_vec()).await?);
                }
            }
            for behind in rescued {
                runs.push(writer.add(&mut self.state.segments, id, vec![behind.clone()]).await?);
            }
            if found != damaged.lost {
                return Err(RepairError::Changed(self.shard));
            }
            lost.extend(damaged.still_lost());
        }
        for stretch in partition.salvaged() {
            runs.push(writer.add(&mut self.state.segments, id, stretch).await?);
        }
        old.iter().for_each(|run| self.state.segments.drop_run(run.segment));
        partition.settle_salvage(runs, &lost, self.accepted);
        partition.runs().for_each(|run| self.state.segments.add_run(run.segment));
        Ok(())
    }

    /// Writes the manifest and the superblocks, as a start does with a journal that holds nothing any more.
    pub(super) async fn put_in_force<D: Disk>(self, disk: &D, now: Now) -> Result<(), RepairError> {
        let shard = self.shard;
        let before = self.chosen.superblock;
        let superblocks = SuperblockFiles::open(disk, &self.directory).await?;
        superblocks.write_copy(&before, self.chosen.overwrite_first.other()).await?;
        let old = self.superblock;
        let (last_sequence, last_chain) = self.last;
        let empty: Vec<RingFile> =
            old.files.iter().map(|file| RingFile { lap: file.lap, ..RingFile::default() }).collect();
        let base = Superblock {
            epoch: old.epoch.next(),
            epoch_first_sequence: last_sequence.next(),
            confirmed_sequence: last_sequence,
            confirmed_chain: last_chain,
            clean: false,
            files: empty.clone(),
            ..old
        };
        let start = JournalStart {
            name: base.name,
            epoch: base.epoch,
            epoch_first_sequence: base.epoch_first_sequence,
            last_sequence,
            last_chain,
            blocks_in_flight: BLOCKS_IN_FLIGHT_DEFAULT,
        };
        let geometry = base.geometry;
        let journal = Journal::new(start, Ring::restore(geometry, &base.files, None));
        let start = ShardStart {
            journal,
            superblock: base,
            state: self.state,
            manifest_generation: self.manifest_generation,
            memory_bytes_max: geometry.ring_bytes(),
            key_cache_bytes_max: 0,
            clock_settle_ns: 0,
        };
        let mut repaired = Shard::new(start, now);
        let files = ShardFiles::<D> { directory: self.directory, ring: Vec::new(), superblocks };
        if let Some(what) = checkpoint_recovered(disk, &files, &mut repaired, self.chosen.other_slot).await {
            return Err(RepairError::Manifested { shard, what });
        }
        // As a close in order leaves it: a ring file that is still to be made anew holds nothing, also if this ends here.
        let superblock = Superblock { clean: true, files: empty, ..repaired.opening_superblock() };
        // A start must be able to read what is put in force.
        let manifest = slot::read(disk, &files.directory, &superblock).await;
        let read = manifest.map_err(|error| error.to_string()).and_then(|read| {
            replay(superblock.name, self.shard_count, &read.manifest, &[]).map_err(|error| error.to_string())
        });
        if let Err(what) = read {
            return Err(RepairError::Manifested { shard, what });
        }
        files.superblocks.write(&superblock, self.chosen.overwrite_first).await?;
        files.superblocks.close().await;
        self.missing.make_last(disk, &files.directory, &before).await?;
        Ok(())
    }
}
