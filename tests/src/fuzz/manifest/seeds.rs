//! Manifests of both shards of a directory, with runs, gaps and producers, and a block of the journal behind them.

use bytes::{BufMut, Bytes};
use florin_engine::catalogue::{CatalogueRecord, OwnedRecord, OwnedState, OwnerState};
use florin_engine::format::batch::ProducerStamp;
use florin_engine::format::control::{
    Control, Entry, GroupOffset, KeyRule, KeySource, OffsetRecord, Participant, Partitioner, TopicDescriptor,
    TransactionRecord,
};
use florin_engine::format::manifest::{Manifest, Module};
use florin_engine::group::GroupOffsets;
use florin_engine::key_run::KeyRun;
use florin_engine::limits::{MANIFEST_BYTES_DEFAULT, PARTITION_PRODUCER_COUNT_MAX};
use florin_engine::model::{
    Epoch, GroupId, Offset, PartitionId, Position, ProducerEpoch, ProducerId, Realtime, SegmentId, Sequence, ShardId,
    TopicId, TransactionKey, TransactionOutcome, TransactionalId,
};
use florin_engine::partition::Gap;
use florin_engine::producer::{ProducerIdMint, ProducerTable, Receipt};
use florin_engine::segment::{Run, SegmentTable};
use florin_engine::transaction::{PartitionTransactions, TransactionCoordinator, next_of};

use super::{COMPLETE, COORDINATOR, COPY, INCLUDED, LOST, REPAIR, SEQUENCE, encoded, of_sections};
use crate::fuzz::batches::placed_batch;
use crate::fuzz::blocks::seeds::{payload, topic as described_topic};
use crate::fuzz::without_padding;

const FILE_END: u64 = 16 * 4096;

/// See [`Target::seeds`](crate::fuzz::Target::seeds).
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for flags in [0, COORDINATOR] {
        let shard = ShardId(u16::from(flags == 0));
        let plain = described_topic(7);
        let keyed = sections(shard, &plain.clone().with_keys(rule()));
        seeds.push(input(flags, 0, &keyed, &[]));
        seeds.push(input(flags | REPAIR | COMPLETE, 0, &keyed, &[]));
        let sections = sections(shard, &plain);
        let partition = PartitionId { topic: TopicId(7), index: u32::from(flags != 0) };
        let blocks = [journal(partition), vec![topic_entry(8)]];
        for (block, more) in blocks.iter().zip([0, LOST]) {
            let count = u8::try_from(block.len()).expect("a few");
            seeds.push(input(flags | more, count, &sections, &payload(block)));
            seeds.push(input(flags | more | REPAIR | COMPLETE, count, &sections, &payload(block)));
        }
        seeds.push(input(flags | INCLUDED | REPAIR, 1, &sections, &payload(&[batch(partition)])));
        seeds.push(input(flags, 0, &[const { Vec::new() }; Module::ALL.len()], &[]));
        let slices: Vec<&[u8]> = sections.iter().map(Vec::as_slice).collect();
        seeds.push(copy(flags, &of_sections(shard, &slices)));
        seeds.push(copy(flags | REPAIR, &of_sections(shard, &slices)));
    }
    seeds
}

fn input(flags: u8, entry_count: u8, sections: &[Vec<u8>; Module::ALL.len()], payload: &[u8]) -> Vec<u8> {
    let mut input = vec![flags, entry_count];
    let parts = || sections.iter().map(Vec::as_slice).chain([payload]);
    parts().for_each(|part| input.put_u16_le(u16::try_from(part.len()).expect("a part is short")));
    parts().for_each(|part| input.put_slice(part));
    input
}

fn copy(flags: u8, manifest: &Manifest) -> Vec<u8> {
    let encoded = manifest.encode(MANIFEST_BYTES_DEFAULT).expect("a small manifest");
    [&[flags | COPY, 0], without_padding(&encoded.bytes)].concat()
}

fn batch(partition: PartitionId) -> Entry {
    Entry::Batch {
        partition,
        append_time: Realtime(9),
        undecided: 0,
        batch: Bytes::from(placed_batch(50, &[b"12.50 EUR"])),
    }
}

/// What a shard writes first in an epoch, and then.
fn journal(partition: PartitionId) -> Vec<Entry> {
    let (epoch, last_sequence) = (Epoch(2), SEQUENCE);
    let start = Control::EpochStart { epoch, last_sequence, last_chain: 1, boot_time: Realtime(8) };
    let reserved = Control::ProducerIdsReserved { up_to: 4096 };
    let confirmed = Control::ClockConfirmed { realtime: Realtime(10) };
    let controls = [start, reserved, confirmed].map(Entry::Control);
    controls.into_iter().chain([batch(partition)]).collect()
}

fn topic_entry(id: u64) -> Entry {
    Entry::Control(Control::PartitionsOpened(described_topic(id)))
}

/// What makes two payments the same one.
fn rule() -> KeyRule {
    let header = KeySource::Header("payment".into());
    KeyRule::new(header, 30, vec!["amount".into()], Partitioner::Murmur2).expect("a rule")
}

/// One section of every module.
fn sections(shard: ShardId, topic: &TopicDescriptor) -> [Vec<u8>; Module::ALL.len()] {
    let mut segments = SegmentTable::default();
    let segment = segments.allocate();
    segments.written(segment, Position(FILE_END), 0);
    let partitions: Vec<_> = topic.partitions_on(shard).collect();
    let catalogue = if shard == ShardId(0) { catalogue(topic) } else { Vec::new() };
    let keyed_count = if topic.keys().is_some() { partitions.len() } else { 0 };
    let mut mint = ProducerIdMint::new(shard).expect("a low shard");
    mint.restore(2048).expect("far from the last");
    [
        catalogue,
        partitions_section(shard, topic, segment, &partitions),
        encoded(|out| partitions.iter().for_each(|_| producers().encode(out))),
        encoded(|out| mint.encode(out)),
        7_u64.to_le_bytes().to_vec(),
        encoded(|out| segments.encode(&[segment].into(), out)),
        encoded(|out| (0..keyed_count).for_each(|_| key_sets(segment, out))),
        open_transactions(&partitions),
        encoded(|out| coordinator(shard).encode(out)),
        encoded(|out| groups().encode(out)),
    ]
}

const TRANSACTION: TransactionKey = TransactionKey { producer: ProducerId(5), epoch: ProducerEpoch(6) };

/// A transaction that is open in each partition.
fn open_transactions(partitions: &[PartitionId]) -> Vec<u8> {
    let mut open = PartitionTransactions::default();
    open.appended(TRANSACTION, Offset(3), Realtime(4));
    encoded(|out| {
        out.put_u32_le(u32::try_from(partitions.len()).expect("few"));
        for partition in partitions {
            out.put_u64_le(partition.topic.0);
            out.put_u32_le(partition.index);
            open.encode(out);
        }
    })
}

/// A transactional id with a transaction that is decided and one that is going on.
fn coordinator(shard: ShardId) -> TransactionCoordinator {
    let mut coordinator = TransactionCoordinator::default();
    let name = TransactionalId::new("settlement-1").expect("a name");
    let (time, next) = (Realtime(5), next_of(TRANSACTION).expect("far from the last"));
    let participant = Participant::Group(GroupId::new("ledger").expect("a name"));
    let outcome = TransactionOutcome::Committed;
    for record in [
        TransactionRecord::Opened { name, next: TRANSACTION, timeout_ms: 10_000, time },
        TransactionRecord::Joined { transaction: TRANSACTION, participant: participant.clone(), shard, time },
        TransactionRecord::Decided { transaction: TRANSACTION, outcome, next, time },
        TransactionRecord::Joined { transaction: next, participant, shard, time },
    ] {
        coordinator.apply(&record).expect("one follows the other");
    }
    coordinator
}

/// A group with offsets, some of them in a transaction.
fn groups() -> GroupOffsets {
    let mut groups = GroupOffsets::default();
    let partition = PartitionId { topic: TopicId(7), index: 0 };
    let offsets = vec![GroupOffset { partition, offset: Offset(8), metadata: "m".into() }];
    for transaction in [None, Some(TRANSACTION)] {
        let group = GroupId::new("ledger").expect("a name");
        let record = OffsetRecord::Committed { group, transaction, offsets: offsets.clone(), time: Realtime(5) };
        groups.apply(&record).expect("it can be noted");
    }
    groups
}

/// The key runs of a partition: one with two spares, and one alone. As [`PartitionKeys::encode`] writes them.
///
/// [`PartitionKeys::encode`]: florin_engine::partition::keys::PartitionKeys::encode
fn key_sets(segment: SegmentId, out: &mut Vec<u8>) {
    let run = |position, base_offset, next_offset| key_run(segment, position, base_offset, next_offset);
    out.put_u32_le(2);
    out.put_u32_le(2);
    [run(0, 0, 30), run(8192, 0, 10), run(16_384, 10, 30)].iter().for_each(|run| run.encode(out));
    out.put_u32_le(0);
    run(24_576, 30, 50).encode(out);
}

fn key_run(segment: SegmentId, position: u64, base_offset: u64, next_offset: u64) -> KeyRun {
    KeyRun {
        segment,
        position: Position(position),
        bytes: 8192,
        table_bytes: 4096,
        entry_count: next_offset - base_offset,
        base_offset: Offset(base_offset),
        next_offset: Offset(next_offset),
        first_append_time: Realtime(1),
        last_append_time: Realtime(6),
    }
}

/// The table of shard 0, of a directory in which ids below the topic's were given to topics that are gone.
fn catalogue(topic: &TopicDescriptor) -> Vec<u8> {
    let mut owner = OwnerState::new(super::SHARD_COUNT);
    for id in 1..=topic.id().0 {
        let described = if id == topic.id().0 { topic.clone() } else { described_topic(id) };
        owner.apply(&CatalogueRecord::Creating(described)).expect("the next id");
        owner.apply(&CatalogueRecord::Live(TopicId(id))).expect("it was being created");
    }
    encoded(|out| owner.encode(out))
}

/// A partition whose offsets are at rest up to 50, but for a gap.
fn partitions_section(
    shard: ShardId,
    topic: &TopicDescriptor,
    segment: SegmentId,
    partitions: &[PartitionId],
) -> Vec<u8> {
    let mut owned = OwnedState::new(shard);
    owned.apply(&OwnedRecord::Opened(topic.clone())).expect("it is placed here");
    let topics = encoded(|out| owned.encode(out));
    let mut out = Vec::new();
    out.put_u32_le(u32::try_from(topics.len()).expect("one topic"));
    out.put_slice(&topics);
    out.put_u32_le(u32::try_from(partitions.len()).expect("few partitions"));
    for partition in partitions {
        out.put_u64_le(partition.topic.0);
        out.put_u32_le(partition.index);
        [50, 6, 10, 4096, 3].into_iter().for_each(|number| out.put_u64_le(number));
        out.put_u8(2);
        out.put_u32_le(2);
        out.put_u32_le(1);
        run(segment, 0, 5, 20).encode(&mut out);
        run(segment, 8192, 30, 50).encode(&mut out);
        Gap { base_offset: Offset(20), next_offset: Offset(30), accepted: Realtime(4) }.encode(&mut out);
    }
    out
}

fn run(segment: SegmentId, position: u64, base_offset: u64, next_offset: u64) -> Run {
    Run {
        segment,
        position: Position(position),
        bytes: 8192,
        base_offset: Offset(base_offset),
        next_offset: Offset(next_offset),
        first_append_time: Realtime(1),
        last_append_time: Realtime(6),
        max_timestamp_ms: 1000,
    }
}

/// Two producers, one with a full window.
fn producers() -> ProducerTable {
    let mut table = ProducerTable::new(PARTITION_PRODUCER_COUNT_MAX);
    for (id, count) in [(3, 2), (9, 6)] {
        for number in 0..count {
            let stamp = ProducerStamp::new(ProducerId(id), ProducerEpoch(0), number, 1);
            let receipt = Receipt {
                base_offset: Offset(40 + u64::from(number)),
                append_time: Realtime(5),
                sequence: Sequence(4),
            };
            table.apply(&stamp, 17, receipt);
        }
    }
    table
}
