//! What the server remembers of each partition, for benches that read what they wrote.

use bytes::Bytes;
use florin_engine::catalogue::TopicSettings;
use florin_engine::format::batch;
use florin_engine::model::{Offset, PartitionId, Realtime, TopicId};
use florin_net::protocol::{Code, ErrorResponse, FetchResponse, FetchedBatch, PartitionDescription, Response};

use super::State;

/// The batches of a partition.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// With the offset at which each begins.
    pub batches: Vec<(u64, Bytes)>,
    /// The next one.
    pub next_offset: u64,
    /// Offsets below are cut.
    pub start_offset: u64,
    /// Bytes that were cut.
    pub cut_bytes: u64,
}

impl Log {
    pub(super) fn append(&mut self, batch: &[u8], record_count: u32) -> Offset {
        let base_offset = self.next_offset;
        self.batches.push((base_offset, Bytes::copy_from_slice(batch)));
        self.next_offset += u64::from(record_count);
        Offset(base_offset)
    }
}

pub(super) fn describe(state: &State, topic: TopicId) -> Response {
    let Some(found) = state.topics.iter().find(|known| known.id == topic) else {
        return Response::Error(ErrorResponse::new(Code::UNKNOWN_TOPIC, "not here"));
    };
    let describe = |(index, shard): (u32, &u16)| {
        let log = state.logs.get(&PartitionId { topic, index });
        PartitionDescription {
            index,
            shard: *shard,
            start_offset: log.map_or(0, |log| log.start_offset),
            high_watermark: log.map_or(0, |log| log.next_offset),
            cut_bytes: log.map_or(0, |log| log.cut_bytes),
            held_bytes: state.held_bytes,
            ..PartitionDescription::default()
        }
    };
    let partitions = (0..).zip(&found.placement).map(describe).collect();
    Response::TopicDescribed { topic: found.clone(), settings: TopicSettings::default(), partitions }
}

/// Whole batches up to `bytes_max`, and one in any case. `None`: there is nothing yet.
pub(super) fn fetch(state: &mut State, partition: PartitionId, from: Offset, bytes_max: u32) -> Option<Response> {
    if let Some(code) = state.fetch_refusal {
        return Some(Response::Error(ErrorResponse::new(code, "not this")));
    }
    let log = state.logs.get(&partition)?;
    let mut fetched = up_to(Offset(log.next_offset));
    if state.empty_count > 0 {
        state.empty_count -= 1;
    } else {
        fetched.batches = batches_from(log, from, bytes_max as usize);
        if fetched.batches.is_empty() {
            return None;
        }
        if let Some(spoil) = state.spoils {
            spoil(&mut fetched);
        }
    }
    state.fetched_count += 1;
    Some(Response::Fetched(fetched))
}

/// The answer to a fetch that does not wait where there is nothing.
pub(super) fn nothing(state: &State, partition: PartitionId) -> Response {
    let end = Offset(state.logs.get(&partition).map_or(0, |log| log.next_offset));
    Response::Fetched(up_to(end))
}

/// No batches of a log that ends here.
fn up_to(end: Offset) -> FetchResponse {
    FetchResponse {
        start_offset: Offset(0),
        high_watermark: end,
        stable_offset: end,
        aborted: Vec::new(),
        batches: Vec::new(),
    }
}

fn batches_from(log: &Log, from: Offset, bytes_max: usize) -> Vec<FetchedBatch> {
    let mut bytes_left = bytes_max;
    let mut batches: Vec<FetchedBatch> = Vec::new();
    // The first one may begin before what was asked for.
    let behind = log.batches.partition_point(|(base_offset, _)| *base_offset <= from.0);
    let first = if from.0 < log.next_offset { behind.saturating_sub(1) } else { log.batches.len() };
    for (base_offset, bytes) in &log.batches[first..] {
        if !batches.is_empty() && bytes.len() > bytes_left {
            break;
        }
        bytes_left = bytes_left.saturating_sub(bytes.len());
        let mut placed = bytes.to_vec();
        batch::place(&mut placed, Offset(*base_offset));
        batches.push(FetchedBatch {
            base_offset: Offset(*base_offset),
            append_time: Realtime(1),
            bytes: placed.into(),
        });
    }
    batches
}
