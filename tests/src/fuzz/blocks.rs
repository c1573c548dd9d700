//! The blocks of a journal: headers and bodies as recovery finds them in ring files, and the entries in them.
//!
//! Input: flags, number of entries, bytes. They are a ring file, with zeros up to whole units behind them, or with
//! `PAYLOAD` the payload of one block. With [`REPAIR`] names, places, lengths and checksums of blocks are made right,
//! block behind block; with `CHAIN` also what binds each to the one before it.
//!
//! Memory: 16 times the bytes and 64 KiB. The batches of a block lie where the block does; a topic's description has room
//! for the partitions that it claims, 8 KiB at most, before they are read.

use bytes::Bytes;
use florin_engine::format::batch::SEQUENCE_COUNT;
use florin_engine::format::block::{BLOCK_HEADER_BYTES, CheckedHead, block_bytes};
use florin_engine::format::checksum::{Chain, Seed};
use florin_engine::format::control::{
    Control, ENTRY_ALIGN_BYTES, Entry, EntryFault, EntryWalk, OffsetRecord, TopicDescriptor, TransactionRecord,
};
use florin_engine::format::layout::{FORMAT_VERSION, Geometry};
use florin_engine::format::superblock::{FileUse, RingFile, Superblock};
use florin_engine::format::virgin;
use florin_engine::journal::decision::{Body, Header};
use florin_engine::journal::recovery::{Recovery, Told, Wrong, examine};
use florin_engine::journal::scan::{FileImage, Found};
use florin_engine::limits::{
    BATCH_BYTES_MAX, BLOCK_BYTES_MAX, OFFSET_METADATA_BYTES_MAX, OFFSETS_PER_COMMIT_MAX, RING_FILE_BYTES_MIN,
    SHARD_COUNT_MAX, TOPIC_PARTITION_COUNT_MAX, TRANSACTION_TIMEOUT_MS_MAX, UNIT_BYTES,
};
use florin_engine::model::{Epoch, FileIndex, Lap, Position, Sequence, TransactionalId};

use super::{Memory, NAME, REPAIR, number, put, superblock, whole_units};

pub(in crate::fuzz) mod seeds;

pub use seeds::seeds;

/// The bytes are the payload of one block.
const PAYLOAD: u8 = 1 << 1;
/// Epoch, sequence and chain link of repaired blocks continue those of the block before.
const CHAIN: u8 = 1 << 2;
/// The file was filled before: it is in its second lap.
const SECOND_LAP: u8 = 1 << 3;

const FILE: FileIndex = FileIndex(1);
const CHECKSUM_AT: usize = 8;
const CHECKED_FROM: usize = 12;
const PAYLOAD_BYTES_AT: usize = 96;
const BODY_CHECKSUM_AT: usize = 104;

/// See [`Target::run`](super::Target::run).
pub fn run(memory: Memory, input: &[u8]) -> usize {
    let Some((&[flags, entry_count], bytes)) = input.split_first_chunk() else { return 0 };
    let memory_max = 16 * bytes.len() + 64 * 1024;
    if flags & PAYLOAD != 0 {
        let payload = Bytes::copy_from_slice(bytes);
        return usize::from(check_entries(memory, memory_max, &payload, entry_count.into()));
    }
    let lap = Lap(if flags & SECOND_LAP == 0 { 1 } else { 2 });
    let mut bytes = whole_units(bytes);
    if flags & REPAIR != 0 {
        repair(&mut bytes, lap, flags & CHAIN != 0);
    }
    let image = FileImage { file: FILE, bytes: bytes.into(), unreadable: Vec::new() };
    let mut accepted = 0;
    let mut position = Position(0);
    while position.0 < image.bytes.len() as u64 {
        let found = memory.within("a unit", 0, || image.look(NAME, lap, position));
        check_found(&image, &found, lap, position);
        // A virgin unit is as it must be.
        accepted += usize::from(found.header == Header::Virgin);
        if let (Body::Good, Some(block)) = (found.body, &found.block) {
            let whole = image.block_bytes(position, block);
            check_block(&whole, block);
            let payload_end = BLOCK_HEADER_BYTES + block.head.payload_bytes as usize;
            check_entries(memory, memory_max, &whole.slice(BLOCK_HEADER_BYTES..payload_end), block.head.entry_count);
            accepted += 1;
        }
        position = position.plus(found.reach_bytes);
    }
    recover(memory, memory_max, &image, lap);
    accepted
}

/// Makes block after block right: names, place, lengths and checksums, and if asked for what binds it to the one before.
fn repair(bytes: &mut [u8], lap: Lap, chain: bool) {
    let seed = Seed::of(NAME.journal_id);
    let (mut at, mut sequence, mut link) = (0, 1_u64, Chain(0));
    while at < bytes.len() {
        let payload_max = bytes.len() - at - BLOCK_HEADER_BYTES;
        let payload_bytes = (number(bytes, at + PAYLOAD_BYTES_AT) as usize).min(payload_max);
        let total = block_bytes(payload_bytes);
        let block = &mut bytes[at..at + total];
        put(block, 0, b"FLRNBLCK");
        put(block, 12, &FORMAT_VERSION.to_le_bytes());
        put(block, 14, &NAME.shard.0.to_le_bytes());
        put(block, 16, &NAME.journal_id.0);
        put(block, 72, &lap.0.to_le_bytes());
        put(block, 80, &(at as u64).to_le_bytes());
        put(block, 88, &FILE.0.to_le_bytes());
        put(block, PAYLOAD_BYTES_AT, &u32::try_from(payload_bytes).expect("an input is short").to_le_bytes());
        put(block, 100, &u32::try_from(total).expect("an input is short").to_le_bytes());
        if chain {
            put(block, 32, &1_u64.to_le_bytes());
            put(block, 40, &1_u64.to_le_bytes());
            put(block, 48, &sequence.to_le_bytes());
            put(block, 56, &(sequence - 1).to_le_bytes());
            put(block, 64, &link.0.to_le_bytes());
        }
        let body_checksum = seed.checksum(&block[BLOCK_HEADER_BYTES..]);
        put(block, BODY_CHECKSUM_AT, &body_checksum.to_le_bytes());
        let header_checksum = seed.checksum(&block[CHECKED_FROM..BLOCK_HEADER_BYTES]);
        put(block, CHECKSUM_AT, &header_checksum.to_le_bytes());
        (at, sequence, link) = (at + total, sequence + 1, Chain::of(header_checksum, body_checksum));
    }
}

/// What stands at a unit is one of what can stand there.
fn check_found(image: &FileImage, found: &Found, lap: Lap, position: Position) {
    let end = position.plus(found.reach_bytes);
    let is_whole = found.reach_bytes > 0 && end.0.is_multiple_of(UNIT_BYTES as u64);
    assert!(is_whole && end.0 <= image.bytes.len() as u64, "the next unit to look at is one of the file");
    let at = usize::try_from(position.0).expect("an input is short");
    let unit = &image.bytes[at..at + UNIT_BYTES];
    match found.header {
        Header::Block => {
            let head = &found.block.as_ref().expect("a block has a header").head;
            assert_eq!((head.place.file, head.place.lap, head.place.position), (FILE, lap, position));
            assert!(head.block_bytes() <= BLOCK_BYTES_MAX && head.durable_sequence < head.sequence);
        }
        Header::Virgin => {
            let mut again = vec![0xff; UNIT_BYTES];
            virgin::encode(&mut again, NAME.journal_id, FILE, position);
            assert_eq!(again, unit, "there is one virgin unit of a place");
        }
        Header::Misplaced => assert!(found.block.is_some(), "a block that belongs elsewhere"),
        Header::StaleLap | Header::Garbage => assert!(found.block.is_none()),
        Header::Unreadable => unreachable!("all of it was read"),
    }
}

/// A block is written again as it was read.
fn check_block(whole: &Bytes, block: &CheckedHead) {
    let mut again = whole.to_vec();
    again[..BLOCK_HEADER_BYTES].fill(0xff);
    let chain = block.head.seal(NAME, &mut again);
    assert_eq!((chain, &again[..]), (block.chain, &whole[..]), "there is one encoding of a block");
}

/// Walks a payload; tells whether it is one of entries, which are then written as they were read.
fn check_entries(memory: Memory, memory_max: usize, payload: &Bytes, entry_count: u32) -> bool {
    let walk = || EntryWalk::new(payload.clone(), entry_count);
    let one_by_one = || walk().filter(Result::is_ok).count();
    let right_count = memory.within("entries one by one", memory_max, one_by_one);
    let mut again = vec![0xff; payload.len()];
    let mut at = 0_usize;
    for entry in walk() {
        match entry {
            Ok(entry) => {
                check_entry(&entry);
                assert!(at.is_multiple_of(ENTRY_ALIGN_BYTES), "entries begin at multiples");
                at += entry.encode(&mut again[at..]);
            }
            Err(error) => {
                assert_eq!((error.position, &again[..at]), (at, &payload[..at]), "what comes before is right");
                let is_behind = matches!(error.fault, EntryFault::Leftover { .. });
                assert_eq!(is_behind, right_count == entry_count as usize, "all are read, or one is wrong");
                return false;
            }
        }
    }
    assert_eq!((right_count, &again[..]), (entry_count as usize, &payload[..]), "there is one encoding of entries");
    true
}

fn check_entry(entry: &Entry) {
    match entry {
        Entry::Batch { batch, .. } => assert!((1..=BATCH_BYTES_MAX).contains(&batch.len())),
        Entry::Control(
            Control::TopicCreating(topic) | Control::PartitionsOpened(topic) | Control::TopicAltering(topic),
        ) => {
            assert_eq!(TopicDescriptor::check_name(topic.name()), Ok(()));
            assert_eq!(topic.settings().check(), Ok(()));
            assert!((1..=TOPIC_PARTITION_COUNT_MAX).contains(&topic.partition_count()));
            assert!(topic.placement().iter().all(|shard| shard.0 < SHARD_COUNT_MAX));
        }
        Entry::Control(Control::ProducerExpired { epoch, .. }) => assert!(epoch.0 <= i16::MAX.cast_unsigned()),
        Entry::Control(Control::BatchKnown { stamp, .. }) => {
            assert!(stamp.base_sequence < SEQUENCE_COUNT && stamp.last_sequence < SEQUENCE_COUNT);
        }
        Entry::Control(
            Control::EpochStart { .. }
            | Control::TopicLive(_)
            | Control::TopicDeleting(_)
            | Control::TopicDeleted(_)
            | Control::PartitionsClosed { .. }
            | Control::ProducerIdsReserved { .. }
            | Control::ClockConfirmed { .. },
        ) => {}
        Entry::Control(Control::Transaction(record)) => match record {
            TransactionRecord::Opened { name, timeout_ms, .. } => {
                assert!(TransactionalId::new(name.as_str()).is_ok() && *timeout_ms <= TRANSACTION_TIMEOUT_MS_MAX);
            }
            TransactionRecord::Joined { transaction: key, .. }
            | TransactionRecord::Decided { transaction: key, .. }
            | TransactionRecord::Settled { transaction: key } => assert!(key.epoch.0 <= i16::MAX.cast_unsigned()),
            TransactionRecord::Forgotten { .. } => {}
        },
        Entry::Control(Control::Offsets(record)) => {
            if let OffsetRecord::Committed { offsets, .. } = record {
                assert!((1..=OFFSETS_PER_COMMIT_MAX).contains(&offsets.len()));
                assert!(offsets.iter().all(|offset| offset.metadata.len() <= OFFSET_METADATA_BYTES_MAX));
            }
        }
    }
}

/// The file as that of a journal of which nothing is confirmed: recovery accepts blocks as long as the chain goes on.
fn recover(memory: Memory, memory_max: usize, image: &FileImage, lap: Lap) {
    let file_bytes = (image.bytes.len() as u64).max(RING_FILE_BYTES_MIN);
    let open = RingFile { state: FileUse::Open, lap, ..RingFile::default() };
    let example = superblock::example();
    let superblock = Superblock {
        geometry: Geometry { file_count: 2, file_bytes, ..example.geometry },
        epoch: Epoch(1),
        epoch_first_sequence: Sequence(1),
        confirmed_sequence: Sequence(0),
        confirmed_chain: Chain(0),
        files: vec![RingFile::default(), open],
        ..example
    };
    let images = [image.clone()];
    let recovery = memory.within("a journal", memory_max, || examine(&superblock, Told::by(Sequence(0)), &images));
    check_recovery(&recovery);
}

/// What is accepted is a chain from the first block on; what is not is cut or named.
fn check_recovery(recovery: &Recovery) {
    let (mut end, mut sequence) = (0, Sequence(0));
    for block in &recovery.blocks {
        assert_eq!((block.sequence, block.position), (sequence.next(), Position(end)), "block follows block");
        (end, sequence) = (end + block.bytes.len() as u64, block.sequence);
    }
    assert_eq!(recovery.last_sequence, sequence);
    assert_eq!(recovery.files[usize::from(FILE.0)].confirmed_bytes, end, "the file ends with the last block");
    let is_behind = |position: Option<Position>| position.is_none_or(|position| position.0 >= end);
    assert!(recovery.cuts.iter().all(|cut| is_behind(Some(cut.position))), "nothing is cut that was accepted");
    for damage in &recovery.damage {
        let of_unit = matches!(damage.wrong, Wrong::Unit(_) | Wrong::Missing { .. });
        assert!(of_unit && is_behind(damage.position), "nothing is damage that was accepted");
    }
}
