//! What clients are told by a server that was started on a damaged directory.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real files and a real clock")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use florin_engine::format::layout::shard_path;
use florin_engine::model::{Offset, PartitionId, ShardId};
use florin_net::protocol::{FetchResponse, ListAt, Request, Response};

use super::layout::Span;
use super::sound::Truth;
use crate::real::line::{Placed, Tag};
use crate::served::load::reader::placed;
use crate::served::load::{Flight, JOURNAL_FULL};
use crate::served::server::{Server, Start};
use crate::served::wire::{Wire, WireError};

/// The shard was refused at the start.
const NOT_OPEN: u16 = 7;
/// Stored bytes are damaged.
const DAMAGED: u16 = 25;
/// Fetches of a partition, beside one for each batch, before somebody goes round in circles.
const FETCHES_MORE: usize = 1000;
/// The run and the producer of batches that are stored after a damaged start.
const PROBE_RUN: u32 = 1_000_000;
const TRIES_MAX: u32 = 300;
const TRY_REST: Duration = Duration::from_millis(10);

/// What was seen of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Its shard was refused.
    NotOpen,
    /// It was read.
    Read(Contents),
}

/// A partition as it was read, and the first batch that it took afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The first offset that can be read.
    pub start: u64,
    /// The high watermark.
    pub end: u64,
    /// The batches that came, in order.
    pub batches: Vec<Placed>,
    /// The offsets that were refused as damaged.
    pub damaged: Vec<Span>,
    /// Batches that are not what anybody sent, in words.
    pub wrong: Vec<String>,
    /// What else was not as it must be.
    pub unexpected: Vec<String>,
    /// The offset of a new batch.
    pub next: Option<u64>,
}

/// A start on a damaged directory, and everything that was asked afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Whether the server got ready.
    pub is_ready: bool,
    /// Whether it ended as it must: with success when it was stopped, with code 1 when it did not start.
    pub is_calm: bool,
    /// What it logged.
    pub log: String,
    /// What was seen of each partition, if it got ready.
    pub partitions: BTreeMap<PartitionId, Seen>,
    /// Shards whose files are not as they were before the start.
    pub touched: BTreeSet<u16>,
}

/// Starts a server on a damaged directory, reads what the sound one held, stores one more batch in each partition, and
/// stops it.
///
/// # Errors
/// If the disk fails, or a connection ends.
pub fn observe(start: &Start, directory: &Path, truth: &Truth) -> Result<Observed, String> {
    let shards: BTreeSet<u16> = truth.shards.values().copied().collect();
    let files = |shard: &u16| Ok((*shard, contents(&shard_path(directory, ShardId(*shard)))?));
    let before = shards.iter().map(files).collect::<Result<BTreeMap<_, _>, String>>()?;
    let mut observed = Observed::default();
    match Server::start(start) {
        Err(ended) => {
            observed.is_calm = ended.status.code() == Some(1) && !ended.log.contains("panicked");
            observed.log = ended.log;
        }
        Ok(server) => {
            observed.is_ready = true;
            for (partition, shard) in &truth.shards {
                let batch_count = truth.batches.get(partition).map_or(0, Vec::len);
                let seen = look(&server, *partition, *shard, batch_count);
                let seen = seen.map_err(|error| format!("partition {partition}: {error:?}; {}", server.log()))?;
                observed.partitions.insert(*partition, seen);
            }
            let ended = server.stop();
            observed.is_calm = ended.status.success() && !ended.log.contains("panicked");
            observed.log = ended.log;
        }
    }
    for (shard, before) in before {
        if contents(&shard_path(directory, ShardId(shard)))? != before {
            observed.touched.insert(shard);
        }
    }
    Ok(observed)
}

/// Every file in a folder, with its contents.
fn contents(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, String> {
    let text = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(text)? {
        let path = entry.map_err(text)?.path();
        if path.is_file() {
            found.insert(path.clone(), std::fs::read(&path).map_err(text)?);
        }
    }
    Ok(found)
}

fn look(server: &Server, partition: PartitionId, shard: u16, batch_count: usize) -> Result<Seen, WireError> {
    let mut wire = Wire::open(server.address_of(shard))?;
    let start = match wire.list_offset(partition, ListAt::Start) {
        Ok(start) => start.0,
        Err(error) if error.code() == Some(NOT_OPEN) => return Ok(Seen::NotOpen),
        Err(error) => return Err(error),
    };
    let end = wire.list_offset(partition, ListAt::End)?.0;
    let mut contents = Contents { start, end, ..Contents::default() };
    let mut next = start;
    for _ in 0..batch_count + FETCHES_MORE {
        if next >= end || !contents.wrong.is_empty() {
            break;
        }
        next = match wire.fetch(partition, Offset(next), 0) {
            Ok(fetched) => take(partition, &fetched, next, &mut contents),
            Err(WireError::Refused(error)) if error.code.0 == DAMAGED => {
                let [from, to] = error.details;
                if !(from..to).contains(&next) {
                    contents.unexpected.push(format!("offset {next} was refused with {error}"));
                    break;
                }
                contents.damaged.push(Span { partition, from: next, to });
                to
            }
            Err(error) => return Err(error),
        };
    }
    contents.next = store(&mut wire, partition)?;
    Ok(Seen::Read(contents))
}

/// Takes the batches of an answer; the offset to go on at.
pub fn take(partition: PartitionId, fetched: &FetchResponse, from: u64, contents: &mut Contents) -> u64 {
    if fetched.batches.is_empty() {
        contents.unexpected.push(format!("a fetch from {from} on brought nothing, and the end is {}", contents.end));
        return contents.end;
    }
    let mut next = from;
    for batch in &fetched.batches {
        match placed(partition, batch) {
            Ok(placed) => {
                if placed.base_offset != batch.base_offset.0 {
                    contents.wrong.push(format!("{placed} came as offset {}", batch.base_offset.0));
                }
                next = placed.last_offset + 1;
                contents.batches.push(placed);
            }
            Err(what) => contents.wrong.push(what),
        }
    }
    next
}

/// Stores a batch; its offset, if there was room.
fn store(wire: &mut Wire, partition: PartitionId) -> Result<Option<u64>, WireError> {
    let tag = Tag { run: PROBE_RUN, producer: partition.index, serial: 0 };
    let flight = Flight::new(partition, tag, None);
    for _ in 0..TRIES_MAX {
        match wire.ask(&Request::Produce { partition, batch: flight.bytes.clone() }) {
            Ok(Response::Produced { base_offset, .. }) => return Ok(Some(base_offset.0)),
            Ok(other) => return Err(WireError::Unexpected(format!("{other:?}"))),
            Err(error) if error.code() == Some(JOURNAL_FULL) => thread::sleep(TRY_REST),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
