//! A manifest, and the state of a shard that a start makes of it and of the journal behind it.
//!
//! Input: flags, number of entries, seven lengths as u16, then bytes: the sections in the order of [`Module::ALL`] and the
//! payload of one journal block. With `COPY` there are no lengths and the bytes are a copy of a manifest, with zeros up
//! to whole units behind it. With [`REPAIR`] names, lengths and checksums of the copy, and the checksums of batches in the
//! block, are made right.
//!
//! Memory: 64 times the bytes and 64 KiB. A segment file takes 21 bytes in a manifest, a partition 61 and a producer 56;
//! in memory each is a node of a tree, partitions with what they need to run.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes};
use florin_engine::catalogue::OwnerState;
use florin_engine::format::batch::Keep;
use florin_engine::format::block::{BLOCK_HEADER_BYTES, JournalName};
use florin_engine::format::checksum::Seed;
use florin_engine::format::control::{ENTRY_ALIGN_BYTES, ENTRY_HEADER_BYTES, EntryKind};
use florin_engine::format::layout::FORMAT_VERSION;
use florin_engine::format::manifest::{Manifest, Module, SECTION_COUNT_MAX, Section};
use florin_engine::journal::recovery::RecoveredBlock;
use florin_engine::limits::{MANIFEST_BYTES_DEFAULT, UNIT_BYTES};
use florin_engine::model::{Epoch, FileIndex, Id128, Position, Realtime, SegmentId, Sequence, ShardId};
use florin_engine::partition::Partition;
use florin_engine::shard::replay::{Accepted, LossBound, ShardState, replay, replay_salvage};

use super::{DIRECTORY_ID, Memory, REPAIR, batches, number, put, whole_units};

mod seeds;

pub use seeds::seeds;

/// The bytes are a copy of a manifest.
const COPY: u8 = 1 << 1;
/// The shard is the one with the catalogue.
const COORDINATOR: u8 = 1 << 2;
/// The manifest includes the block, of which only batches are wanted.
const INCLUDED: u8 = 1 << 3;
/// Blocks are lost, when the state is salvaged.
const LOST: u8 = 1 << 4;
/// Nothing of the catalogue is lost, when the state is salvaged.
const COMPLETE: u8 = 1 << 5;

const SHARD_COUNT: u16 = 2;
const SECTION_VERSION: u16 = 1;
const SEQUENCE: Sequence = Sequence(5);
const NOW: Realtime = Realtime(1 << 60);
const PART_COUNT: usize = Module::ALL.len() + 1;

const CHECKSUM_AT: usize = 8;
const CHECKED_FROM: usize = 12;
const TABLE_FROM: usize = 64;
const SECTION_BYTES: usize = 32;

/// See [`Target::run`](super::Target::run).
pub fn run(memory: Memory, input: &[u8]) -> usize {
    let Some((&[flags, entry_count], bytes)) = input.split_first_chunk() else { return 0 };
    let memory_max = 64 * bytes.len() + 64 * 1024;
    let shard = ShardId(u16::from(flags & COORDINATOR == 0));
    let (manifest, payload) = if flags & COPY == 0 {
        let Some([sections @ .., payload]) = parts(bytes) else { return 0 };
        (of_sections(shard, &sections), payload)
    } else {
        let Some(manifest) = of_copy(memory, memory_max, shard, bytes, flags & REPAIR != 0) else { return 0 };
        (manifest, &[][..])
    };
    let mut payload = payload.to_vec();
    if flags & REPAIR != 0 {
        repair_batches(&mut payload);
    }
    let state = memory.within("a manifest", memory_max, || replay(name(shard), SHARD_COUNT, &manifest, &[]));
    let is_accepted = state.is_ok();
    if let Ok(state) = state {
        check_state(&state, manifest.sequence);
        check_again(&manifest, &state);
    }
    let blocks = [block(flags, entry_count.into(), &payload)];
    let blocks = if payload.is_empty() { &blocks[..0] } else { &blocks[..] };
    let state =
        memory.within("manifest and journal", memory_max, || replay(name(shard), SHARD_COUNT, &manifest, blocks));
    let last = blocks.iter().map(|block| block.sequence).fold(manifest.sequence, Sequence::max);
    state.iter().for_each(|state| check_state(state, last));
    salvage(memory, memory_max, flags, &manifest, (blocks, last));
    usize::from(is_accepted) + usize::from(state.is_ok() && !blocks.is_empty())
}

/// The journal of a shard.
fn name(shard: ShardId) -> JournalName {
    JournalName { journal_id: Id128([6; 16]), shard }
}

/// The parts behind their lengths; the last ones are cut off where the bytes end.
fn parts(bytes: &[u8]) -> Option<[&[u8]; PART_COUNT]> {
    let (lengths, mut rest) = bytes.split_at_checked(2 * PART_COUNT)?;
    let (lengths, _) = lengths.as_chunks::<2>();
    let mut parts = [&[][..]; PART_COUNT];
    for (part, length) in parts.iter_mut().zip(lengths) {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        (*part, rest) = rest.split_at(length);
    }
    Some(parts)
}

/// A manifest of these sections, by way of its bytes. An empty section is left out.
fn of_sections(shard: ShardId, sections: &[&[u8]]) -> Manifest {
    let sections = Module::ALL.into_iter().zip(sections).filter(|(_, bytes)| !bytes.is_empty());
    let section = |(module, bytes): (Module, &&[u8])| Section {
        module,
        version: SECTION_VERSION,
        sequence: SEQUENCE,
        bytes: Bytes::copy_from_slice(bytes),
    };
    let manifest = Manifest {
        directory_id: DIRECTORY_ID,
        shard,
        generation: 3,
        sequence: SEQUENCE,
        sections: sections.map(section).collect(),
    };
    let encoded = manifest.encode(MANIFEST_BYTES_DEFAULT).expect("an input is short");
    let decoded = Manifest::decode(&encoded.bytes.into(), DIRECTORY_ID, shard);
    assert_eq!(decoded.present(), Some(&manifest), "a manifest is read as it was written");
    manifest
}

/// A manifest from the bytes of a copy, if they are one.
fn of_copy(memory: Memory, memory_max: usize, shard: ShardId, bytes: &[u8], repaired: bool) -> Option<Manifest> {
    let mut copy = whole_units(bytes);
    if repaired {
        repair(&mut copy, shard);
    }
    let copy = Bytes::from(copy);
    let decoded = memory.within("a copy", memory_max, || Manifest::decode(&copy, DIRECTORY_ID, shard));
    let Some(manifest) = decoded.present() else {
        assert!(decoded.problem().is_some(), "what is refused is refused with words");
        return None;
    };
    assert_eq!(Manifest::encoded_bytes(&copy), Some(copy.len() as u64));
    assert!(manifest.sections.windows(2).all(|pair| pair[0].module < pair[1].module));
    let again = manifest.encode(copy.len() as u64).expect("it fits where it was read");
    assert_eq!(again.bytes, copy, "there is one encoding of a manifest");
    assert_eq!(Some(again.checksum), Manifest::stored_checksum(&copy));
    Some(manifest.clone())
}

fn repair(copy: &mut [u8], shard: ShardId) {
    let seed = Seed::of(DIRECTORY_ID);
    put(copy, 0, b"FLRNMANI");
    put(copy, CHECKED_FROM, &FORMAT_VERSION.to_le_bytes());
    put(copy, 14, &shard.0.to_le_bytes());
    put(copy, 16, &DIRECTORY_ID.0);
    put(copy, 48, &(copy.len() as u64).to_le_bytes());
    let count = usize::from(u16::from_le_bytes([copy[56], copy[57]])).min(SECTION_COUNT_MAX);
    let mut position = UNIT_BYTES;
    for at in (TABLE_FROM..).step_by(SECTION_BYTES).take(count) {
        let length = (number(copy, at + 16) as usize).min(copy.len() - position);
        let checksum = seed.checksum(&copy[position..position + length]);
        put(copy, at + 4, &checksum.to_le_bytes());
        put(copy, at + 8, &(position as u64).to_le_bytes());
        put(copy, at + 16, &(length as u64).to_le_bytes());
        position = (position + length).next_multiple_of(8);
    }
    let checksum = seed.checksum(&copy[CHECKED_FROM..UNIT_BYTES]);
    put(copy, CHECKSUM_AT, &checksum.to_le_bytes());
}

/// Makes lengths and checksums of the batches in a payload right.
fn repair_batches(mut payload: &mut [u8]) {
    while payload.len() >= ENTRY_HEADER_BYTES {
        let is_batch = u16::from_le_bytes([payload[0], payload[1]]) == EntryKind::Batch.code();
        let body_end = ENTRY_HEADER_BYTES.saturating_add(number(payload, 4) as usize);
        let Some(body) = payload.get_mut(ENTRY_HEADER_BYTES..body_end) else { return };
        if is_batch {
            batches::repair(body);
        }
        let entry_end = body_end.next_multiple_of(ENTRY_ALIGN_BYTES).min(payload.len());
        payload = &mut payload[entry_end..];
    }
}

/// The block behind the manifest, or the last one in it.
fn block(flags: u8, entry_count: u32, payload: &[u8]) -> RecoveredBlock {
    RecoveredBlock {
        sequence: if flags & INCLUDED == 0 { SEQUENCE.next() } else { SEQUENCE },
        epoch: Epoch(2),
        file: FileIndex(0),
        position: Position(0),
        durable_sequence: Sequence(1),
        entry_count,
        payload_bytes: payload.len(),
        bytes: [&[0; BLOCK_HEADER_BYTES], payload].concat().into(),
        keep: Keep::Copy,
    }
}

/// What must hold of every state that a shard goes on with behind this block.
fn check_state(state: &ShardState, last: Sequence) {
    assert!(state.owned.partitions().eq(state.partitions.keys().copied()), "partitions are those of the topics");
    for partition in state.partitions.values() {
        let (start, end) = (partition.start_offset(), partition.next_offset());
        assert!(start <= end && partition.durable_offset() == end, "everything that is read back is durable");
        assert!(partition.flushed_offset() <= end && partition.memory_offset() <= end);
        let mut pieces: Vec<_> = partition.runs().map(|run| (run.base_offset, run.next_offset)).collect();
        pieces.extend(partition.gaps().map(|gap| (gap.base_offset, gap.next_offset)));
        pieces.sort_unstable();
        assert!(pieces.windows(2).all(|pair| pair[0].1 <= pair[1].0), "no offset is at rest and lost, or twice");
        for run in partition.runs() {
            let file = state.segments.get(run.segment);
            assert!(file.is_some_and(|file| run.end() <= file.end), "runs lie in files that there are");
        }
        let held = partition.read(partition.memory_offset(), end, usize::MAX).unwrap_or_default();
        assert!(held.windows(2).all(|pair| pair[0].next_offset() <= pair[1].base_offset));
        let producers = encoded(|out| partition.producers().encode(out));
        let again = partition.clone().decode_producers(&mut &producers[..], last);
        assert_eq!(again, Ok(()), "the next manifest says of producers what a start can take");
    }
}

/// The state is written as it was read, except for runs and gaps that are one with their neighbours.
fn check_again(manifest: &Manifest, state: &ShardState) {
    let read = |module| manifest.section(module).map(|section| &section.bytes[..]);
    let same = |module, again: &[u8]| assert!(read(module).is_none_or(|read| read == again), "{module:?} is canonical");
    if let Some(owner) = &state.owner {
        same(Module::Catalogue, &encoded(|out| OwnerState::encode(owner, out)));
    }
    same(Module::ProducerIds, &encoded(|out| state.mint.encode(out)));
    same(Module::Clock, &state.clock_confirmed.0.to_le_bytes());
    let partitions = state.partitions.values();
    same(Module::Producers, &encoded(|out| partitions.clone().for_each(|one| one.producers().encode(out))));
    if let Some(section) = read(Module::Partitions) {
        let topics = encoded(|out| state.owned.encode(out));
        let again = encoded(|out| {
            out.put_u32_le(u32::try_from(topics.len()).expect("an input is short"));
            out.put_slice(&topics);
            out.put_u32_le(u32::try_from(state.partitions.len()).expect("an input is short"));
            partitions.for_each(|partition| Partition::encode(partition, out));
        });
        let (joined, read) = (again.len() < section.len(), section == again);
        assert!(joined || read, "there is one encoding of partitions whose runs and gaps are apart");
    }
    if let Some(section) = read(Module::Keys) {
        let keys = state.partitions.values().filter_map(Partition::keys);
        let again = encoded(|out| keys.for_each(|keys| keys.encode(out)));
        assert!(section == again, "there is one encoding of key runs");
    }
    if let Some(section) = read(Module::Segments) {
        let all: BTreeSet<SegmentId> = state.segments.all().map(|(segment, _)| segment).collect();
        let again = encoded(|out| state.segments.encode(&all, out));
        assert!(section == again, "there is one encoding of segment files");
    }
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

/// The same when damage was accepted: whatever contradicts itself is refused, everything else goes on.
fn salvage(
    memory: Memory,
    memory_max: usize,
    flags: u8,
    manifest: &Manifest,
    (blocks, last): (&[RecoveredBlock], Sequence),
) {
    let lost = LossBound { last_lost: SEQUENCE.next(), offset_count: 1000, entry_count: 10 };
    let bound = (flags & LOST != 0).then_some(lost);
    let accepted = Accepted { time: NOW, catalogue: None, is_complete: flags & COMPLETE != 0 };
    let (name, count) = (name(manifest.shard), SHARD_COUNT);
    let salvage = || replay_salvage(name, count, manifest, blocks, bound, accepted);
    if let Ok(state) = memory.within("what is left of manifest and journal", memory_max, salvage) {
        check_state(&state, last);
    }
}
