//! Reads partitions: everything at the start, and behind the producers while they write.

use std::rc::Rc;

use florin_engine::io::Runtime;
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::HeldBatch;
use florin_engine::partition::Isolation;
use florin_engine::shard::{FetchFrom, Fetched, OffsetAt, Refusal, Reply, Request};

use super::appender::ShardContext;
use super::line::{Line, Placed};
use super::payload;

/// Bytes of one fetch; small, so that reading back takes several.
const FETCH_BYTES: usize = 128 * 1024;
/// How long a following fetch waits.
const WAIT_NS: u64 = 20_000_000;
/// Fetches that reading back one partition may take.
const FETCH_COUNT_MAX: usize = 100_000;

/// What was wrong with what was read.
pub type ReadError = String;

fn placed(partition: PartitionId, batch: &HeldBatch) -> Result<Placed, ReadError> {
    let at = |what: String| format!("partition {partition} at offset {}: {what}", batch.base_offset);
    let tag = payload::prove(&batch.bytes).map_err(at)?;
    let written = florin_engine::format::batch::base_offset(&batch.bytes).map_err(|error| at(error.to_string()))?;
    let info = florin_engine::format::batch::validate(&batch.bytes, batch.bytes.len());
    info.map_err(|error| at(error.to_string()))?;
    if written != batch.base_offset {
        return Err(at(format!("the batch itself says {written}")));
    }
    Ok(Placed {
        partition,
        base_offset: batch.base_offset.0,
        last_offset: batch.last_offset.0,
        append_time: batch.append_time.0,
        crc: payload::crc(&batch.bytes),
        tag,
    })
}

/// Says every batch of a partition and where it ends.
pub async fn read_back<R: Runtime>(context: &ShardContext<R>, partition: PartitionId) -> Result<(), ReadError> {
    let start = list_offset(context, partition, OffsetAt::Start).await?;
    let mut next = start;
    for _ in 0..FETCH_COUNT_MAX {
        let fetched = fetch(context, partition, next, 0).await?.ok_or("the shard closed while it was read")?;
        let Some(last) = fetched.batches.last() else { break };
        next = last.last_offset.plus(1);
        let lines: Result<Vec<_>, _> =
            fetched.batches.iter().map(|batch| placed(partition, batch).map(Line::Held)).collect();
        context.voice.say_all(&lines?);
    }
    let end = list_offset(context, partition, OffsetAt::End).await?;
    context.voice.say(&Line::ReadBack { partition, start: start.0, end: end.0 });
    Ok(())
}

/// Follows a partition from `from` on, and says what it is shown, until the shard closes.
pub async fn follow<R: Runtime>(context: Rc<ShardContext<R>>, partition: PartitionId) {
    if let Err(what) = follow_from_end(&context, partition).await {
        context.voice.say(&Line::Wrong(format!("follower: {what}")));
    }
}

async fn follow_from_end<R: Runtime>(context: &ShardContext<R>, partition: PartitionId) -> Result<(), ReadError> {
    let mut next = list_offset(context, partition, OffsetAt::End).await?;
    while !context.is_stopping() {
        let Some(fetched) = fetch(context, partition, next, WAIT_NS).await? else { return Ok(()) };
        for batch in &fetched.batches {
            context.voice.say(&Line::Seen(placed(partition, batch)?));
            next = batch.last_offset.plus(1);
        }
        if next > fetched.high_watermark {
            return Err(format!("partition {partition} showed {next} beyond {}", fetched.high_watermark));
        }
        context.voice.say(&Line::End { partition, end: fetched.high_watermark.0 });
    }
    Ok(())
}

/// `None` once the shard is closing.
async fn fetch<R: Runtime>(
    context: &ShardContext<R>,
    partition: PartitionId,
    from: Offset,
    wait_ns: u64,
) -> Result<Option<Fetched>, ReadError> {
    let from = FetchFrom::Offset(from);
    let request =
        Request::Fetch { partition, from, bytes_max: FETCH_BYTES, wait_ns, isolation: Isolation::Uncommitted };
    match context.client.ask(request).await {
        Reply::Fetched(fetched) => Ok(Some(fetched)),
        Reply::Refused(Refusal::Stopping(_)) => Ok(None),
        other => Err(format!("a fetch of partition {partition} was answered with {other:?}")),
    }
}

async fn list_offset<R: Runtime>(
    context: &ShardContext<R>,
    partition: PartitionId,
    at: OffsetAt,
) -> Result<Offset, ReadError> {
    match context.client.ask(Request::ListOffset { partition, at }).await {
        Reply::Offset(offset) => Ok(offset),
        other => Err(format!("list-offset of partition {partition} was answered with {other:?}")),
    }
}
