//! Group commit: entries become a block that is ready to be written, and the block becomes durable.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use florin_engine::format::block::{BLOCK_HEADER_BYTES, JournalName, block_bytes, read_head};
use florin_engine::format::checksum::{Chain, Seed};
use florin_engine::format::control::{Entry, EntryWalk};
use florin_engine::format::layout::Geometry;
use florin_engine::format::superblock::RingFile;
use florin_engine::journal::append::{Journal, JournalStart, Purpose};
use florin_engine::journal::ring::Ring;
use florin_engine::limits::BLOCKS_IN_FLIGHT_DEFAULT;
use florin_engine::model::{Epoch, Id128, Sequence, ShardId};

use crate::inputs::{PARTITION, append_time, batch};

const NAME: JournalName = JournalName { journal_id: Id128([3; 16]), shard: ShardId(2) };
const VALUE_BYTES: usize = 256;

/// A journal whose disk does everything at once. Its files are free again as soon as they are sealed.
struct Rig {
    journal: Journal,
    entry: Entry,
    entry_count: usize,
    /// Zero behind the payload, as a block must be: all blocks but those at the end of a file are of this size.
    buffer: Vec<u8>,
}

impl Rig {
    fn new(entry_count: usize) -> Self {
        let start = JournalStart {
            name: NAME,
            epoch: Epoch(1),
            epoch_first_sequence: Sequence(1),
            last_sequence: Sequence(0),
            last_chain: Chain(0),
            blocks_in_flight: BLOCKS_IN_FLIGHT_DEFAULT,
        };
        let geometry = Geometry::default();
        let files = vec![RingFile::default(); usize::from(geometry.file_count)];
        let batch = Bytes::from(batch(7, 1, VALUE_BYTES));
        let entry = Entry::Batch { partition: PARTITION, append_time: append_time(7), undecided: 0, batch };
        let buffer = vec![0; block_bytes(entry_count * entry.encoded_bytes())];
        let mut rig =
            Self { journal: Journal::new(start, Ring::restore(geometry, &files, None)), entry, entry_count, buffer };
        rig.keep_superblock();
        rig
    }

    /// Opens what is to be written next and frees what is sealed, if the ring wants it, as a shard does behind each
    /// block.
    fn keep_superblock(&mut self) {
        if self.journal.ring_mut().open_spare() {
            let files = self.journal.ring().describe(|_, _| true);
            self.journal.ring_mut().superblock_durable(&files);
        }
    }

    /// Appends as many entries as a block is to have, and takes them to the disk. Returns what is durable then.
    fn commit(&mut self) -> Sequence {
        for _ in 0..self.entry_count {
            self.journal.append(self.entry.clone(), Purpose::Capture).expect("the ring has room");
        }
        while let Some(ready) = self.journal.ready_block() {
            let mut rest;
            let out = if ready.bytes == self.buffer.len() {
                &mut self.buffer
            } else {
                rest = vec![0; ready.bytes];
                &mut rest
            };
            let write = self.journal.encode_block(black_box(out));
            self.journal.block_written(write.sequence);
            self.keep_superblock();
        }
        self.journal.marks().durable()
    }

    /// Commits one block and holds it against what was appended, then goes round the ring more than once.
    fn check(&mut self) {
        assert_eq!(self.commit(), Sequence(1));
        let checked = read_head(&self.buffer, NAME).expect("a block begins with a header");
        assert!(checked.body_matches(NAME, &self.buffer));
        let payload_bytes = checked.head.payload_bytes as usize;
        let payload = Bytes::copy_from_slice(&self.buffer[BLOCK_HEADER_BYTES..BLOCK_HEADER_BYTES + payload_bytes]);
        let entries: Vec<_> = EntryWalk::new(payload, checked.head.entry_count).collect();
        assert_eq!(entries, vec![Ok(self.entry.clone()); self.entry_count]);

        let geometry = self.journal.ring().geometry();
        for _ in 0..geometry.ring_bytes() / self.buffer.len() as u64 + 1 {
            self.commit();
        }
        assert!(self.journal.is_idle());
        assert!(geometry.files().all(|file| self.journal.ring().file(file).lap.0 >= 1), "every file was used");
        assert!(geometry.files().any(|file| self.journal.ring().file(file).lap.0 >= 2), "the ring went round");
    }
}

/// Blocks of one capture and of many, and the checksum over such a block alone, which is the floor.
pub fn group_commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal");
    for entry_count in [1, 64, 1024] {
        let mut rig = Rig::new(entry_count);
        rig.check();
        group.throughput(Throughput::Elements(entry_count as u64));
        group.bench_function(format!("commit a block of {entry_count}"), |bencher| bencher.iter(|| rig.commit()));
        let seed = Seed::of(NAME.journal_id);
        group.bench_function(format!("checksum a block of {entry_count}"), |bencher| {
            bencher.iter(|| seed.checksum(black_box(&rig.buffer)));
        });
    }
    group.finish();
}
