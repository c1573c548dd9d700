//! Hand-made ring files: what recovery accepts, cuts off and refuses.

mod confirmed;
mod files;
mod salvage;
mod tail;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::format::block::{BLOCK_HEADER_BYTES, BlockHead, JournalName, Place, block_bytes};
use crate::format::layout::Geometry;
use crate::format::superblock::ManifestName;
use crate::format::virgin;
use crate::io::UNIT_BYTES;
use crate::model::{Id128, Lap, ShardId};

const UNIT: u64 = UNIT_BYTES as u64;
const NAME: JournalName = JournalName { journal_id: Id128([7; 16]), shard: ShardId(0) };
const EPOCH: Epoch = Epoch(5);

/// A block to be written: epoch and links are right unless a test says otherwise.
#[derive(Clone, Copy)]
struct Draft {
    sequence: u64,
    file: u16,
    position: u64,
    payload_bytes: usize,
    durable: u64,
    epoch: Epoch,
    previous: Chain,
    lap: Lap,
}

/// Ring files in memory, with the superblock that describes them.
struct Builder {
    superblock: Superblock,
    images: Vec<BytesMut>,
    unreadable: Vec<Vec<Position>>,
    next_sequence: u64,
    chain: Chain,
    cursors: Vec<u64>,
}

impl Builder {
    fn new(file_count: u16, file_bytes: u64) -> Self {
        let geometry = Geometry { file_count, file_bytes, manifest_bytes: 32 * 1024 };
        let superblock = Superblock {
            directory_id: Id128([1; 16]),
            name: NAME,
            geometry,
            generation: 3,
            epoch: EPOCH,
            epoch_first_sequence: Sequence(1),
            confirmed_sequence: Sequence(0),
            confirmed_chain: Chain(0),
            clean: false,
            manifest: ManifestName { slot: 0, generation: 1, checksum: 0 },
            files: vec![RingFile::default(); usize::from(file_count)],
        };
        let image = |file: FileIndex| {
            let mut bytes = BytesMut::zeroed(usize::try_from(file_bytes).unwrap());
            for (unit, position) in bytes.chunks_mut(UNIT_BYTES).zip((0..).step_by(UNIT_BYTES)) {
                virgin::encode(unit, NAME.journal_id, file, Position(position));
            }
            bytes
        };
        let mut builder = Self {
            superblock,
            images: geometry.files().map(image).collect(),
            unreadable: vec![Vec::new(); usize::from(file_count)],
            next_sequence: 1,
            chain: Chain(0),
            cursors: vec![0; usize::from(file_count)],
        };
        builder.open(0, Lap(1));
        builder
    }

    fn open(&mut self, file: u16, lap: Lap) {
        self.superblock.files[usize::from(file)] = RingFile { state: FileUse::Open, lap, ..RingFile::default() };
    }

    /// The next block of the journal, at the end of what was written to `file`.
    fn next(&self, file: u16, payload_bytes: usize) -> Draft {
        Draft {
            sequence: self.next_sequence,
            file,
            position: self.cursors[usize::from(file)],
            payload_bytes,
            durable: self.next_sequence - 1,
            epoch: EPOCH,
            previous: self.chain,
            lap: self.superblock.files[usize::from(file)].lap,
        }
    }

    /// Writes a block and goes on behind it; returns its place in the file.
    fn put(&mut self, draft: Draft) -> std::ops::Range<usize> {
        self.put_beside(draft, &mut |builder, chain, end| {
            builder.chain = chain;
            builder.next_sequence = draft.sequence + 1;
            builder.cursors[usize::from(draft.file)] = end;
        })
    }

    /// Writes a block that the journal does not go on behind.
    fn put_astray(&mut self, draft: Draft) -> std::ops::Range<usize> {
        self.put_beside(draft, &mut |_, _, _| {})
    }

    fn put_beside(&mut self, draft: Draft, then: &mut dyn FnMut(&mut Self, Chain, u64)) -> std::ops::Range<usize> {
        let bytes = block_bytes(draft.payload_bytes);
        let at = usize::try_from(draft.position).unwrap();
        let mut block = vec![0; bytes];
        block[BLOCK_HEADER_BYTES..BLOCK_HEADER_BYTES + draft.payload_bytes].fill(0x5a);
        let place = Place { file: FileIndex(draft.file), lap: draft.lap, position: Position(draft.position) };
        let head = BlockHead {
            place,
            epoch: draft.epoch,
            epoch_first_sequence: Sequence(1),
            sequence: Sequence(draft.sequence),
            durable_sequence: Sequence(draft.durable),
            previous: draft.previous,
            entry_count: 1,
            payload_bytes: u32::try_from(draft.payload_bytes).unwrap(),
        };
        let chain = head.seal(NAME, &mut block);
        self.images[usize::from(draft.file)][at..at + bytes].copy_from_slice(&block);
        then(self, chain, draft.position + bytes as u64);
        at..at + bytes
    }

    fn append(&mut self, file: u16, count: usize) {
        for _ in 0..count {
            self.put(self.next(file, 100));
        }
    }

    /// The superblock vouches for everything that was written so far.
    fn confirm(&mut self) {
        self.superblock.confirmed_sequence = Sequence(self.next_sequence - 1);
        self.superblock.confirmed_chain = self.chain;
        for (file, cursor) in self.superblock.files.iter_mut().zip(&self.cursors) {
            if *cursor > file.confirmed_bytes {
                file.confirmed_bytes = *cursor;
                if file.first_sequence == Sequence(0) {
                    file.first_sequence = Sequence(self.next_sequence - cursor / UNIT);
                }
                file.last_sequence = Sequence(self.next_sequence - 1);
            }
        }
    }

    fn seal(&mut self, file: u16) {
        self.superblock.files[usize::from(file)].state = FileUse::Sealed;
    }

    /// Puts the virgin unit back, as if the write never reached the disk.
    fn lose(&mut self, file: u16, range: std::ops::Range<usize>) {
        for at in range.step_by(UNIT_BYTES) {
            let unit = &mut self.images[usize::from(file)][at..at + UNIT_BYTES];
            virgin::encode(unit, NAME.journal_id, FileIndex(file), Position(at as u64));
        }
    }

    fn images(&self) -> Vec<FileImage> {
        let used = self
            .superblock
            .geometry
            .files()
            .filter(|file| self.superblock.files[usize::from(file.0)].state != FileUse::Free);
        used.map(|file| FileImage {
            file,
            bytes: Bytes::copy_from_slice(&self.images[usize::from(file.0)]),
            unreadable: self.unreadable[usize::from(file.0)].clone(),
        })
        .collect()
    }

    fn examine(&self) -> Recovery {
        self.examine_behind(0)
    }

    fn examine_behind(&self, included: u64) -> Recovery {
        examine(&self.superblock, Told::by(Sequence(included)), &self.images())
    }
}

fn sequences(recovery: &Recovery) -> Vec<u64> {
    recovery.blocks.iter().map(|block| block.sequence.0).collect()
}

fn cuts(recovery: &Recovery) -> Vec<(u16, u64, Option<u64>)> {
    let cut = |cut: &CutUnit| (cut.file.0, cut.position.0 / UNIT, cut.sequence.map(|sequence| sequence.0));
    recovery.cuts.iter().map(cut).collect()
}

/// Nothing is wrong, these blocks were accepted, and the journal ends with the last of them.
fn assert_sound(recovery: &Recovery, accepted: impl IntoIterator<Item = u64>) {
    assert_eq!(recovery.damage, [], "{:?}", recovery.damage);
    let accepted: Vec<_> = accepted.into_iter().collect();
    assert_eq!(sequences(recovery), accepted);
    assert_eq!(recovery.last_sequence.0, accepted.last().copied().unwrap_or(0));
}

/// A finding about this unit.
fn assert_unit_damage(recovery: &Recovery, file: u16, unit: u64, harm: Harm) {
    let damage =
        Damage { file: Some(FileIndex(file)), position: Some(Position(unit * UNIT)), wrong: Wrong::Unit(harm) };
    assert!(recovery.damage.contains(&damage), "no {damage:?} in {:?}", recovery.damage);
}

fn assert_missing(recovery: &Recovery, first: u64, last: u64) {
    let wrong = Wrong::Missing { first: Sequence(first), last: Sequence(last) };
    let damage = Damage { file: None, position: None, wrong };
    assert!(recovery.damage.contains(&damage), "no {damage:?} in {:?}", recovery.damage);
}
