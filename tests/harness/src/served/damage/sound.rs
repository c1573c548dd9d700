//! Sound directories: made by the real server, with everything that they hold.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real files and a real clock")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use florin_engine::catalogue::TopicSettings;
use florin_engine::limits::SEGMENT_BYTES_MIN;
use florin_engine::model::PartitionId;
use florin_net::protocol::{Request, Response, TopicDescription};

use super::layout::Layout;
use crate::real::directory;
use crate::real::line::{Placed, Tag};
use crate::served::load::{Flight, JOURNAL_FULL};
use crate::served::server::{Server, Start};
use crate::served::wire::{Wire, WireError};

/// Shards of a sound directory.
pub const SHARD_COUNT: u16 = 2;
/// Small, so that copies are quick; the ring goes round several times all the same.
const JOURNAL_FILES: u16 = 6;
const JOURNAL_FILE_BYTES: u64 = 256 * 1024;
const MANIFEST_BYTES: u64 = 128 * 1024;
/// Topics: their names, their partitions, and whether their segment files are as small as they can be.
const TOPICS: [(&str, u32, bool); 2] = [("payments", 6, true), ("refunds", 2, false)];
/// Servers that write, one after the other.
const RUN_COUNT: u32 = 4;
/// Batches that each of them writes into each partition.
const BATCH_COUNT: u32 = 60;
/// Batches that are sent at once.
const BURST_COUNT: usize = 8;
/// A journal that has nothing to do states within this that its last block is durable.
const IDLE: Duration = Duration::from_millis(500);
const TRIES_MAX: u32 = 500;
const TRY_REST: Duration = Duration::from_millis(10);
/// Disk that a sound directory takes at most.
pub const BYTES_MAX: u64 = 32 << 20;

/// How the server of a directory ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndedBy {
    /// It was stopped in order: everything is at rest.
    Stop,
    /// It was killed while it had nothing to do: its journal is needed.
    Kill,
}

impl EndedBy {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Stop, Self::Kill];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stopped in order",
            Self::Kill => "killed when idle",
        }
    }

    /// The folder of its sound directory.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Stop => "sound-stopped",
            Self::Kill => "sound-killed",
        }
    }
}

/// Everything that a directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// The batches of each partition, in order.
    pub batches: BTreeMap<PartitionId, Vec<Placed>>,
    /// The shard of each partition.
    pub shards: BTreeMap<PartitionId, u16>,
}

impl Truth {
    /// One behind the last offset of a partition.
    pub fn end(&self, partition: PartitionId) -> u64 {
        self.batches.get(&partition).and_then(|batches| batches.last()).map_or(0, |last| last.last_offset + 1)
    }

    /// How many batches there are.
    pub fn batch_count(&self) -> usize {
        self.batches.values().map(Vec::len).sum()
    }
}

/// A directory that a server left behind.
#[derive(Clone, Debug)]
pub struct Sound {
    /// Where it is.
    pub directory: PathBuf,
    /// How its server ended.
    pub ended: EndedBy,
    /// What each byte of it is needed for.
    pub layout: Layout,
    /// What it holds.
    pub truth: Truth,
}

impl Sound {
    /// Reads a directory that was made before, without a server.
    ///
    /// # Errors
    /// If it is not there, or not sound.
    pub fn read(home: &Path, ended: EndedBy) -> Result<Self, String> {
        let directory = home.join(ended.folder());
        let layout = Layout::read(&directory)?;
        let mut truth = Truth::default();
        for (shard, layout) in (0..).zip(&layout.shards) {
            for partition in &layout.partitions {
                truth.shards.insert(*partition, shard);
                truth.batches.insert(*partition, Vec::new());
            }
        }
        for placed in directory::verify(&directory)?.batches {
            truth.batches.entry(placed.partition).or_default().push(placed);
        }
        Ok(Self { directory, ended, layout, truth })
    }
}

/// A server of a directory, the way all of them are started here.
pub fn start(directory: &Path, program: Option<&Path>) -> Start {
    let start = Start::new(directory).shards(SHARD_COUNT).journal(JOURNAL_FILES, JOURNAL_FILE_BYTES);
    let start = start.manifest_bytes(MANIFEST_BYTES).with(&["--http", "off", "--cores", "2", "--allow-cow"]);
    match program {
        Some(program) => start.program(program),
        None => start,
    }
}

/// Makes both directories in a folder; `say` hears what is done.
///
/// # Errors
/// If a server does not do what it must, or something that it acknowledged is not there.
pub fn make(home: &Path, program: Option<&Path>, say: &mut dyn FnMut(&str)) -> Result<[Sound; 2], String> {
    let data = home.join("data");
    let mut stored: BTreeMap<PartitionId, Vec<Placed>> = BTreeMap::new();
    let mut topics = Vec::new();
    for run in 0..RUN_COUNT {
        say(&format!("writing what is to be damaged, server {} of {}", run + 1, RUN_COUNT + 1));
        let server = begin(&data, program)?;
        if run == 0 {
            topics = create_topics(&server)?;
        }
        write(&server, &topics, run, &mut stored)?;
        let ended = server.stop();
        if !ended.status.success() {
            return Err(format!("it was told to stop, and ended with {}: {}", ended.status, ended.log));
        }
    }
    let stopped = keep(home, &data, EndedBy::Stop, &stored)?;
    say(&format!("writing what is to be damaged, server {0} of {0}", RUN_COUNT + 1));
    let server = begin(&data, program)?;
    write(&server, &topics, RUN_COUNT, &mut stored)?;
    thread::sleep(IDLE);
    server.kill();
    let killed = keep(home, &data, EndedBy::Kill, &stored)?;
    std::fs::remove_dir_all(&data).map_err(|error| format!("{} cannot be removed: {error}", data.display()))?;
    Ok([stopped, killed])
}

fn begin(data: &Path, program: Option<&Path>) -> Result<Server, String> {
    Server::start(&start(data, program)).map_err(|ended| format!("not started: {}", ended.log))
}

/// Copies what a server left behind, and holds it against what was acknowledged.
fn keep(
    home: &Path,
    data: &Path,
    ended: EndedBy,
    stored: &BTreeMap<PartitionId, Vec<Placed>>,
) -> Result<Sound, String> {
    copy(data, &home.join(ended.folder()))?;
    let sound = Sound::read(home, ended)?;
    match sound.truth.batches == *stored {
        true => Ok(sound),
        false => Err(format!("a server that was {} left something else than it had acknowledged", ended.name())),
    }
}

/// Copies a folder with everything in it.
///
/// # Errors
/// If the disk fails.
pub fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let text = |path: &Path, error: std::io::Error| format!("{} cannot be copied: {error}", path.display());
    std::fs::create_dir(to).map_err(|error| text(to, error))?;
    for entry in std::fs::read_dir(from).map_err(|error| text(from, error))? {
        let path = entry.map_err(|error| text(from, error))?.path();
        let Some(name) = path.file_name() else { continue };
        match path.is_dir() {
            true => copy(&path, &to.join(name))?,
            false => drop(std::fs::copy(&path, to.join(name)).map_err(|error| text(&path, error))?),
        }
    }
    Ok(())
}

fn create_topics(server: &Server) -> Result<Vec<TopicDescription>, String> {
    let mut wire = Wire::open(server.address_of(0)).map_err(|error| format!("shard 0: {error:?}"))?;
    let create = |(name, partition_count, is_small): (&str, u32, bool)| {
        let default = TopicSettings::default();
        let segment_bytes = if is_small { SEGMENT_BYTES_MIN } else { default.segment_bytes };
        let settings = TopicSettings { segment_bytes, ..default };
        match wire.ask(&Request::CreateTopic { name: name.to_owned(), partition_count, settings, keys: None }) {
            Ok(Response::TopicCreated(topic)) => Ok(topic),
            other => Err(format!("create_topic was answered with {other:?}")),
        }
    };
    TOPICS.into_iter().map(create).collect()
}

/// Batches into every partition, in bursts, each acknowledged.
fn write(
    server: &Server,
    topics: &[TopicDescription],
    run: u32,
    stored: &mut BTreeMap<PartitionId, Vec<Placed>>,
) -> Result<(), String> {
    let mut partitions = Vec::new();
    for topic in topics {
        for (index, shard) in (0..).zip(&topic.placement) {
            partitions.push((PartitionId { topic: topic.id, index }, *shard));
        }
    }
    for shard in 0..SHARD_COUNT {
        let mut wire = Wire::open(server.address_of(shard)).map_err(|error| format!("shard {shard}: {error:?}"))?;
        let own = (0_u32..).zip(&partitions).filter(|(_, (_, owner))| *owner == shard);
        let flights: Vec<Flight> = (0..BATCH_COUNT)
            .flat_map(|serial| {
                own.clone()
                    .map(move |(producer, (partition, _))| Flight::new(*partition, Tag { run, producer, serial }, None))
            })
            .collect();
        for burst in flights.chunks(BURST_COUNT) {
            send(&mut wire, burst, stored).map_err(|error| format!("shard {shard}: {error:?}"))?;
        }
    }
    Ok(())
}

/// Sends batches at once; what finds no room is sent again.
fn send(wire: &mut Wire, burst: &[Flight], stored: &mut BTreeMap<PartitionId, Vec<Placed>>) -> Result<(), WireError> {
    let mut left: Vec<&Flight> = burst.iter().collect();
    for _ in 0..TRIES_MAX {
        let mut out = BytesMut::new();
        let mut asked = BTreeMap::new();
        for flight in &left {
            let request = Request::Produce { partition: flight.sent.partition, batch: flight.bytes.clone() };
            asked.insert(wire.encode(&request, &mut out), *flight);
        }
        wire.send_bytes(&out)?;
        left.clear();
        while !asked.is_empty() {
            let (correlation, response) = wire.receive()?;
            let flight = asked.remove(&correlation);
            let flight = flight.ok_or_else(|| WireError::Unexpected(format!("{response:?} answers nothing")))?;
            match response {
                Response::Produced { base_offset, append_time, .. } => {
                    let sent = flight.sent;
                    let last_offset = base_offset.0 + u64::from(sent.record_count) - 1;
                    stored.entry(sent.partition).or_default().push(Placed {
                        partition: sent.partition,
                        base_offset: base_offset.0,
                        last_offset,
                        append_time: append_time.0,
                        crc: sent.crc,
                        tag: sent.tag,
                    });
                }
                Response::Error(error) if error.code.0 == JOURNAL_FULL => left.push(flight),
                other => return Err(WireError::Unexpected(format!("{other:?}"))),
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        thread::sleep(TRY_REST);
    }
    Err(WireError::Unexpected("the journal stays full".to_owned()))
}
