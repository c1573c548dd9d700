//! A block with entries of every kind, a chain of blocks, virgin units.

use bytes::Bytes;
use florin_engine::catalogue::TopicSettings;
use florin_engine::format::batch::ProducerStamp;
use florin_engine::format::block::{BLOCK_HEADER_BYTES, BlockHead, Place, block_bytes};
use florin_engine::format::checksum::Chain;
use florin_engine::format::control::{Control, Entry, TopicDescriptor};
use florin_engine::format::virgin;
use florin_engine::limits::UNIT_BYTES;
use florin_engine::model::{
    Epoch, Lap, PartitionId, Position, ProducerEpoch, ProducerId, Realtime, Sequence, ShardId, TopicId,
};

use super::{CHAIN, FILE, NAME, PAYLOAD, REPAIR, SECOND_LAP};
use crate::fuzz::batches::placed_batch;
use crate::fuzz::without_padding;

/// See [`Target::seeds`](crate::fuzz::Target::seeds).
pub fn seeds() -> Vec<Vec<u8>> {
    let entries = entries();
    let mut seeds: Vec<_> =
        entries.iter().map(|entry| input(PAYLOAD, 1, &payload(std::slice::from_ref(entry)))).collect();
    let count = u8::try_from(entries.len()).expect("there are few kinds");
    seeds.push(input(PAYLOAD, count, &payload(&entries)));
    let (first, link) = block(1, Position(0), Chain(0), &entries);
    let (second, _) = block(2, Position(first.len() as u64), link, &entries[..1]);
    seeds.push(input(0, 0, without_padding(&first)));
    let both = [first.clone(), second].concat();
    seeds.push(input(0, 0, without_padding(&both)));
    seeds.push(input(REPAIR, 0, without_padding(&both)));
    seeds.push(input(REPAIR | CHAIN, 0, without_padding(&both)));
    seeds.push(input(REPAIR | CHAIN | SECOND_LAP, 0, without_padding(&first)));
    seeds.push(input(0, 0, &virgin_unit(Position(0))));
    seeds
}

fn virgin_unit(position: Position) -> Vec<u8> {
    let mut unit = vec![0; UNIT_BYTES];
    virgin::encode(&mut unit, NAME.journal_id, FILE, position);
    without_padding(&unit).to_vec()
}

/// A block of the first epoch, and its chain link.
fn block(sequence: u64, position: Position, previous: Chain, entries: &[Entry]) -> (Vec<u8>, Chain) {
    let payload = payload(entries);
    let head = BlockHead {
        place: Place { file: FILE, lap: Lap(1), position },
        epoch: Epoch(1),
        epoch_first_sequence: Sequence(1),
        sequence: Sequence(sequence),
        durable_sequence: Sequence(sequence - 1),
        previous,
        entry_count: u32::try_from(entries.len()).expect("a few"),
        payload_bytes: u32::try_from(payload.len()).expect("a block is bounded"),
    };
    let mut block = vec![0; block_bytes(payload.len())];
    block[BLOCK_HEADER_BYTES..BLOCK_HEADER_BYTES + payload.len()].copy_from_slice(&payload);
    let chain = head.seal(NAME, &mut block);
    (block, chain)
}

/// The payload of a block with these entries.
pub(in crate::fuzz) fn payload(entries: &[Entry]) -> Vec<u8> {
    let mut payload = Vec::new();
    for entry in entries {
        let at = payload.len();
        payload.resize(at + entry.encoded_bytes(), 0);
        entry.encode(&mut payload[at..]);
    }
    payload
}

/// The description of a topic on both shards.
pub(in crate::fuzz) fn topic(id: u64) -> TopicDescriptor {
    let settings = TopicSettings { retention_ns: Some(1 << 50), ..TopicSettings::default() };
    let topic = TopicDescriptor::new(TopicId(id), &format!("captures-{id}"), vec![ShardId(1), ShardId(0)]);
    topic.and_then(|topic| topic.with_settings(settings)).expect("within the limits")
}

/// One of every kind.
fn entries() -> Vec<Entry> {
    let (id, partition) = (TopicId(7), PartitionId { topic: TopicId(7), index: 0 });
    let batch = Bytes::from(placed_batch(0, &[b"12.50 EUR"]));
    let batch = Entry::Batch { partition, append_time: Realtime(5), undecided: 0, batch };
    let (epoch, producer) = (ProducerEpoch(1), ProducerId(9));
    let start =
        Control::EpochStart { epoch: Epoch(1), last_sequence: Sequence(0), last_chain: 0, boot_time: Realtime(4) };
    let altered = topic(7).altered(TopicSettings::default(), &[ShardId(1)]).expect("within the limits");
    let stamp = ProducerStamp::new(producer, epoch, 5, 3);
    let controls = [
        start,
        Control::TopicCreating(topic(7)),
        Control::PartitionsOpened(topic(7)),
        Control::TopicLive(id),
        Control::TopicAltering(altered.expect("a second revision")),
        Control::ProducerIdsReserved { up_to: 1024 },
        Control::ClockConfirmed { realtime: Realtime(6) },
        Control::ProducerExpired { partition, producer, epoch },
        Control::BatchKnown { partition, append_time: Realtime(7), stamp, crc: 8 },
        Control::TopicDeleting(id),
        Control::PartitionsClosed { topic: id, version: 4 },
        Control::TopicDeleted(id),
    ];
    [batch].into_iter().chain(controls.map(Entry::Control)).collect()
}
fn input(flags: u8, entry_count: u8, bytes: &[u8]) -> Vec<u8> {
    [&[flags, entry_count], bytes].concat()
}
