//! Both copies of a superblock as a start reads them and chooses between them.
//!
//! Input: flags, bytes of the first copy as u16, the copies. Zeros are put behind both. With [`REPAIR`] magic, version,
//! names and checksum of what is not empty are made right.
//!
//! Memory: 16 KiB beside the copies: the ring files of one superblock and what is said about damage.

use florin_engine::format::checksum::{Chain, Seed};
use florin_engine::format::layout::{FORMAT_VERSION, Geometry};
use florin_engine::format::stored::Stored;
use florin_engine::format::superblock::{FileUse, ManifestName, RingFile, SUPERBLOCK_BYTES, Superblock};
use florin_engine::journal::write::SuperblockCopies;
use florin_engine::limits::{MANIFEST_SLOT_COUNT, UNIT_BYTES};
use florin_engine::model::{Epoch, Lap, Sequence};

use super::{DIRECTORY_ID, Memory, NAME, REPAIR, put, without_padding};

const MEMORY_MAX: usize = 16 * 1024;
const CHECKSUM_AT: usize = 8;
const CHECKED_FROM: usize = 12;
const SHARD_AT: usize = 14;
const DIRECTORY_AT: usize = 16;

/// See [`Target::run`](super::Target::run).
pub fn run(memory: Memory, input: &[u8]) -> usize {
    let Some((&[flags, low, high], bytes)) = input.split_first_chunk() else { return 0 };
    let (a, b) = bytes.split_at(usize::from(u16::from_le_bytes([low, high])).min(bytes.len()));
    let [a, b] = [a, b].map(|copy| {
        let mut copy = copy[..copy.len().min(SUPERBLOCK_BYTES)].to_vec();
        copy.resize(SUPERBLOCK_BYTES, 0);
        if flags & REPAIR != 0 && copy.iter().any(|byte| *byte != 0) {
            repair(&mut copy);
        }
        copy
    });
    let decode =
        |copy: &[u8]| memory.within("a superblock", MEMORY_MAX, || Superblock::decode(copy, DIRECTORY_ID, NAME.shard));
    let copies = SuperblockCopies { a: decode(&a), b: decode(&b) };
    let accepted =
        [(&copies.a, &a), (&copies.b, &b)].into_iter().filter(|(stored, bytes)| check(stored, bytes)).count();
    let chosen = memory.within("the choice of a copy", MEMORY_MAX, || copies.choose());
    if let Ok(chosen) = chosen {
        let usable = [&copies.a, &copies.b].into_iter().filter_map(Stored::present);
        assert!(usable.clone().any(|copy| *copy == chosen.superblock), "a copy that was read is chosen");
        assert!(usable.into_iter().all(|copy| copy.age() <= chosen.superblock.age()), "the newer one is chosen");
    } else {
        let is_one_age = copies.a.present().map(Superblock::age) == copies.b.present().map(Superblock::age);
        assert!(accepted == 0 || (accepted == 2 && is_one_age), "one usable copy is enough");
    }
    accepted
}

/// Makes right what a damaged copy could not have.
fn repair(copy: &mut [u8]) {
    put(copy, 0, b"FLRNSUPR");
    put(copy, CHECKED_FROM, &FORMAT_VERSION.to_le_bytes());
    put(copy, SHARD_AT, &NAME.shard.0.to_le_bytes());
    put(copy, DIRECTORY_AT, &DIRECTORY_ID.0);
    let checksum = Seed::of(DIRECTORY_ID).checksum(&copy[CHECKED_FROM..]);
    put(copy, CHECKSUM_AT, &checksum.to_le_bytes());
}

/// What must hold of a copy that is accepted; tells whether it is.
fn check(stored: &Stored<Superblock>, bytes: &[u8]) -> bool {
    let Some(superblock) = stored.present() else {
        assert!(stored.problem().is_some(), "what is refused is refused with words");
        return false;
    };
    let mut again = vec![0xff; SUPERBLOCK_BYTES];
    superblock.encode(&mut again);
    assert_eq!(again, bytes, "there is one encoding of a superblock");
    let geometry = superblock.geometry;
    assert_eq!(geometry.check(), Ok(()), "sizes are within the limits");
    assert_eq!(superblock.files.len(), usize::from(geometry.file_count));
    assert!(superblock.manifest.slot < MANIFEST_SLOT_COUNT);
    assert_eq!((superblock.directory_id, superblock.name.shard), (DIRECTORY_ID, NAME.shard));
    for file in &superblock.files {
        assert!(file.confirmed_bytes <= geometry.file_bytes && file.confirmed_bytes.is_multiple_of(UNIT_BYTES as u64));
        assert!(file.first_sequence <= file.last_sequence && file.last_sequence <= superblock.confirmed_sequence);
    }
    true
}

/// A superblock of a small journal.
pub(super) fn example() -> Superblock {
    let geometry = Geometry { file_count: 3, file_bytes: 32 * 1024, manifest_bytes: 32 * 1024 };
    let sealed = RingFile {
        state: FileUse::Sealed,
        lap: Lap(2),
        confirmed_bytes: 8192,
        first_sequence: Sequence(4),
        last_sequence: Sequence(5),
    };
    let open = RingFile { state: FileUse::Open, lap: Lap(1), ..RingFile::default() };
    Superblock {
        directory_id: DIRECTORY_ID,
        name: NAME,
        geometry,
        generation: 8,
        epoch: Epoch(2),
        epoch_first_sequence: Sequence(4),
        confirmed_sequence: Sequence(5),
        confirmed_chain: Chain(0x1234_5678_9abc_def0),
        clean: false,
        manifest: ManifestName { slot: 1, generation: 3, checksum: 0x5566_7788 },
        files: vec![sealed, open, RingFile::default()],
    }
}

/// See [`Target::seeds`](super::Target::seeds).
pub fn seeds() -> Vec<Vec<u8>> {
    let older = example();
    let newer = Superblock { clean: true, ..older.next_generation() };
    let bytes = |superblock: &Superblock| {
        let mut copy = vec![0; SUPERBLOCK_BYTES];
        superblock.encode(&mut copy);
        without_padding(&copy).to_vec()
    };
    let (older, newer) = (bytes(&older), bytes(&newer));
    vec![
        input(0, &older, &newer),
        input(REPAIR, &newer, &older),
        input(REPAIR, &older, &[]),
        input(REPAIR, &[], &newer),
        input(0, &older, &older),
    ]
}

fn input(flags: u8, a: &[u8], b: &[u8]) -> Vec<u8> {
    let length = u16::try_from(a.len()).expect("a copy is short").to_le_bytes();
    [&[flags, length[0], length[1]], a, b].concat()
}
