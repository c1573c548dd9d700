//! A server that is killed under load, again and again: started, judged, loaded, ended.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use florin_net::protocol::{Request, Response};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::ledger::tape::Tape;
use super::ledger::topics::Topic;
use super::ledger::{Ledger, Note, Totals, Violation};
use super::load::{Flight, JOURNAL_FULL, Next, Scene, hear};
use super::server::{Ended, Server, Start};
use super::wire::{Wire, WireError};
use crate::events::Events;
use crate::real::line::Tag;

mod read_back;
mod workers;

use workers::Workers;

/// Shards of the directory, each on a core of its own, so that requests to the wrong port cross cores.
pub const SHARD_COUNT: u16 = 2;
/// Small, so that the ring goes round.
const JOURNAL_FILES: u16 = 20;
const JOURNAL_FILE_BYTES: u64 = 256 * 1024;
/// Room for the producers of all rounds: the faster the machine, the more there are.
const MANIFEST_BYTES: u64 = 2 * 1024 * 1024;
/// Partitions that everybody writes to.
const PARTITION_COUNT: u32 = 6;
/// How its name begins.
const MAIN: &str = "main-";
/// Rounds that a topic lives, unless a journal is full before: long enough for many laps of the ring and batches at
/// rest that were written before several kills, and short enough to see the files of deleted topics go.
const TOPIC_ROUNDS_MAX: u32 = 12;
/// How often it is tried to store something when there is no room, and the rest in between.
const TRIES_MAX: u32 = 300;
const TRY_REST: Duration = Duration::from_millis(10);
/// Its number as a writer; others begin behind it.
const PROBE: u32 = 0;

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Killed under load.
    Kill,
    /// Killed before it was ready.
    KillStarting,
    /// Told to stop, and killed while it does.
    KillStopping,
    /// Stopped in order.
    Stop,
}

impl Ending {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "killed under load",
            Self::KillStarting => "killed while starting",
            Self::KillStopping => "killed while stopping",
            Self::Stop => "stopped in order",
        }
    }
}

/// Kills under load, with the other endings in between.
pub fn endings(kill_count: u32) -> Vec<Ending> {
    let mut endings = Vec::new();
    for kill in 0..kill_count {
        endings.push(Ending::Kill);
        match kill % 8 {
            2 => endings.push(Ending::KillStarting),
            4 => endings.push(Ending::KillStopping),
            6 => endings.push(Ending::Stop),
            _ => {}
        }
    }
    endings
}

/// The harness.
pub struct Harness {
    start: Start,
    directory: PathBuf,
    random: ChaCha8Rng,
    ledger: Mutex<Ledger>,
    workers: Workers,
    run: u32,
    topic: Option<Topic>,
    topic_rounds: u32,
    is_full: bool,
    may_fill_disk: bool,
}

/// What happens to a server under load, beside the load; an error is what it did not do.
pub type Hindrance<'a> = &'a mut dyn FnMut(&Server, &Scene<'_>) -> Result<(), String>;

impl Harness {
    /// For a directory that is absent.
    pub fn new(directory: &Path, seed: u64) -> Self {
        let start = Start::new(directory).shards(SHARD_COUNT).journal(JOURNAL_FILES, JOURNAL_FILE_BYTES);
        Self {
            start: start.manifest_bytes(MANIFEST_BYTES).with(&["--http", "off", "--cores", "2", "--allow-cow"]),
            directory: directory.to_owned(),
            random: ChaCha8Rng::seed_from_u64(seed),
            ledger: Mutex::default(),
            workers: Workers::new(seed),
            run: 0,
            topic: None,
            topic_rounds: 0,
            is_full: false,
            may_fill_disk: false,
        }
    }

    /// The server may find that its disk is full, and say so.
    pub fn on_a_small_disk(mut self) -> Self {
        self.may_fill_disk = true;
        self
    }

    /// Kills this program instead of that of the workspace.
    pub fn program(mut self, program: &Path) -> Self {
        self.start = self.start.program(program);
        self
    }

    /// The promise that was broken, if it is one that the ledger knows.
    pub fn violation(&self) -> Option<Violation> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).verdict().err()
    }

    /// What happened so far.
    pub fn totals(&self) -> Totals {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).totals().clone()
    }

    /// Continues from what is known of a directory that others worked on, in rounds behind this one.
    pub fn knowing(mut self, ledger: Ledger, run: u32) -> Self {
        (self.ledger, self.run) = (Mutex::new(ledger), run);
        self
    }

    /// Keeps all notes from now on, beside the events of something else.
    pub fn keep_tape(&mut self, events: Events) {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).keep_tape(events);
    }

    /// Ends the keeping of notes, and gives those that were kept.
    pub fn take_tape(&mut self) -> Option<Tape> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).take_tape()
    }

    /// The number of the last round.
    pub fn run(&self) -> u32 {
        self.run
    }

    /// Starts, judges, stores a batch in each partition, sends what producers stored last again, and ends the server
    /// without any other load.
    ///
    /// # Errors
    /// As for a round.
    pub fn revive(&mut self, is_killed: bool) -> Result<(), String> {
        self.run += 1;
        let server = self.begin()?;
        self.send_again(&server)?;
        self.verdict()?;
        let ended = if is_killed { server.kill() } else { server.stop() };
        self.is_calm(&ended)?;
        if is_killed { Ok(()) } else { self.hold_against_files() }
    }

    /// Plays a round.
    ///
    /// # Errors
    /// If a promise was broken, or the server did not do what it must.
    pub fn round(&mut self, ending: Ending) -> Result<(), String> {
        self.hindered_round(ending, &mut |_, _| Ok(()))
    }

    /// Plays a round in which something happens to the server while it is under load.
    ///
    /// # Errors
    /// As for a round, and what `hinder` says.
    pub fn hindered_round(&mut self, ending: Ending, hinder: Hindrance<'_>) -> Result<(), String> {
        self.run += 1;
        if ending == Ending::KillStarting {
            let after = Duration::from_micros(self.random.random_range(0..60_000));
            let ended = Server::kill_while_starting(&self.start, after);
            return self.is_calm(&ended);
        }
        let server = self.begin()?;
        let ended = self.load(server, ending, hinder)?;
        self.is_calm(&ended)?;
        if ending == Ending::Stop && !ended.status.success() {
            return Err(format!("it was told to stop, and ended with {}: {}", ended.status, ended.log));
        }
        self.verdict()
    }

    /// Starts once more, judges, stops in order, and holds the journals against what is known.
    ///
    /// # Errors
    /// As for a round.
    pub fn finish(&mut self) -> Result<(), String> {
        let server = Server::start(&self.start).map_err(|ended| format!("not started: {}", ended.log))?;
        read_back::read_back(&server, &self.ledger)?;
        self.verdict()?;
        let ended = server.stop();
        self.is_calm(&ended)?;
        self.hold_against_files()
    }

    /// Holds the files of a server that stopped in order against what is known.
    fn hold_against_files(&self) -> Result<(), String> {
        let contents = crate::real::directory::verify(&self.directory)?;
        let is_clean = contents.clean && contents.cut_count == 0;
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        match is_clean && contents.batches.iter().eq(ledger.known()) {
            true => Ok(()),
            false => Err(format!("the journals, clean: {is_clean}, hold something else than was read back")),
        }
    }

    fn verdict(&self) -> Result<(), String> {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.verdict().map_err(|violation| violation.to_string())
    }

    /// A server of which everything was read back, and that takes batches.
    fn begin(&mut self) -> Result<Server, String> {
        let server = Server::start(&self.start).map_err(|ended| format!("not started: {}", ended.log))?;
        let listed = read_back::read_back(&server, &self.ledger)?;
        self.verdict()?;
        if let (None, Some(topic)) = (&self.topic, listed.into_iter().rev().find(is_main)) {
            self.workers.turn_to(&topic);
            self.topic = Some(topic);
        }
        let is_old = self.topic_rounds >= TOPIC_ROUNDS_MAX;
        let mut is_fresh = false;
        if self.topic.is_none() || self.is_full || is_old {
            self.renew(&server)?;
            is_fresh = true;
        }
        if !self.probe(&server, is_fresh)? {
            self.renew(&server)?;
            if !self.probe(&server, true)? {
                return Err("the journals stay full although all topics were deleted".to_owned());
            }
        }
        self.topic_rounds += 1;
        self.verdict()?;
        Ok(server)
    }

    /// Gives all topics up for a new one.
    fn renew(&mut self, server: &Server) -> Result<(), String> {
        let mut wire = open(server, 0)?;
        // What holds most goes first, as the page on durability says: only that is sure to be admitted on a full journal.
        let live = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).live_topics();
        let main = self.topic.iter().map(|topic| topic.id);
        let live: Vec<_> =
            main.clone().chain(live.into_iter().filter(|id| main.clone().all(|main| main != *id))).collect();
        for topic in live {
            self.note(&Note::Deleting(topic));
            retry_while_full(|| match wire.ask(&Request::DeleteTopic { topic })? {
                Response::TopicDeleted(topic) => Ok(topic),
                other => Err(WireError::Unexpected(format!("{other:?}"))),
            })
            .map_err(|error| format!("delete_topic: {error:?}"))?;
            self.note(&Note::Deleted(topic));
        }
        let (name, partition_count) = (format!("{MAIN}{}-{}", self.run, self.topic_rounds), PARTITION_COUNT);
        self.note(&Note::Creating(name.clone(), partition_count));
        let created = retry_while_full(|| wire.create_topic(&name, partition_count));
        let created = created.map_err(|error| format!("create_topic, after all others were deleted: {error:?}"))?;
        let topic = Topic { id: created.id, name, placement: created.placement };
        self.note(&Note::Created(topic.clone()));
        self.workers.turn_to(&topic);
        self.topic = Some(topic);
        (self.topic_rounds, self.is_full) = (0, false);
        Ok(())
    }

    /// One batch to each partition, alone: it must get the next offset. Whether there was room for all.
    fn probe(&mut self, server: &Server, is_fresh: bool) -> Result<bool, String> {
        let topic = self.topic.clone().expect("there is one");
        let scene = scene(server, &self.ledger, &topic, self.run);
        let mut wires = (0..SHARD_COUNT).map(|shard| open(server, shard)).collect::<Result<Vec<_>, _>>()?;
        let mut has_room = true;
        for (partition, shard) in topic.partitions().zip(&topic.placement) {
            // Another topic in the same round has other partitions, so the number says which batch it is.
            let serial = u32::try_from(topic.id.0).expect("topics are few") * PARTITION_COUNT + partition.index;
            let flight = Flight::new(partition, Tag { run: self.run, producer: PROBE, serial }, None);
            let wire = &mut wires[usize::from(*shard)];
            let mut is_stored = false;
            for _ in 0..if is_fresh { TRIES_MAX } else { 1 } {
                is_stored = store(&scene, wire, &flight)?;
                if is_stored {
                    break;
                }
                thread::sleep(TRY_REST);
            }
            has_room &= is_stored;
        }
        Ok(has_room)
    }

    /// Of each producer in each partition, its last batch: the answer must be the original one.
    fn send_again(&self, server: &Server) -> Result<(), String> {
        let topic = self.topic.clone().expect("there is one");
        let scene = scene(server, &self.ledger, &topic, self.run);
        let mut wires = (0..SHARD_COUNT).map(|shard| open(server, shard)).collect::<Result<Vec<_>, _>>()?;
        let last = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).last_stamped();
        for sent in last.into_iter().filter(|sent| sent.partition.topic == topic.id) {
            let shard = topic.placement[sent.partition.index as usize];
            let flight = Flight::new(sent.partition, sent.tag, sent.stamp);
            if !store(&scene, &mut wires[usize::from(shard)], &flight)? {
                return Err(format!("{sent}, which is stored, was refused when it was sent again"));
            }
        }
        Ok(())
    }

    /// Works on the server for a random time, and ends it.
    fn load(&mut self, mut server: Server, ending: Ending, hinder: Hindrance<'_>) -> Result<Ended, String> {
        let load = Duration::from_micros(self.random.random_range(30_000..400_000));
        let stopping = Duration::from_micros(self.random.random_range(0..20_000));
        let topic = self.topic.clone().expect("there is one");
        let scene = scene(&server, &self.ledger, &topic, self.run);
        let workers = &mut self.workers;
        let ended = thread::scope(|scope| {
            workers.run(scope, &scene);
            thread::sleep(load);
            let hindered = hinder(&server, &scene);
            let was_running = server.is_running();
            scene.ending.store(true, Ordering::SeqCst);
            let ended = match ending {
                Ending::Kill | Ending::KillStarting => server.kill(),
                Ending::Stop => server.stop(),
                Ending::KillStopping => {
                    // It runs, or the line below says so.
                    let _ = server.terminate();
                    thread::sleep(stopping);
                    server.kill()
                }
            };
            hindered?;
            if was_running { Ok(ended) } else { Err(format!("it ended by itself: {}", ended.log)) }
        })?;
        self.is_full = scene.is_full();
        Ok(ended)
    }

    /// A server that panicked or found damage says so.
    fn is_calm(&self, ended: &Ended) -> Result<(), String> {
        let is_bad = |line: &str| {
            let is_full = self.may_fill_disk && line.contains("the disk is full");
            line.contains("panicked") || line.contains("ERROR") && !is_full
        };
        if ended.log.lines().any(is_bad) { Err(format!("the server logged:\n{}", ended.log)) } else { Ok(()) }
    }

    fn note(&self, note: &Note) {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).note(note);
    }
}

/// Whether it is the topic that everybody writes to.
fn is_main(topic: &Topic) -> bool {
    topic.name.starts_with(MAIN)
}

fn scene<'a>(server: &Server, ledger: &'a Mutex<Ledger>, topic: &'a Topic, run: u32) -> Scene<'a> {
    Scene {
        addresses: (0..SHARD_COUNT).map(|shard| server.address_of(shard)).collect(),
        ledger,
        topic,
        run,
        ending: AtomicBool::new(false),
        full: AtomicBool::new(false),
    }
}

fn open(server: &Server, shard: u16) -> Result<Wire, String> {
    Wire::open(server.address_of(shard)).map_err(|error| format!("shard {shard}: {error:?}"))
}

/// Tries again, a bounded number of times, while there is no room: a checkpoint may be making some.
fn retry_while_full<T>(mut attempt: impl FnMut() -> Result<T, WireError>) -> Result<T, WireError> {
    for _ in 0..TRIES_MAX {
        match attempt() {
            Err(error) if error.code() == Some(JOURNAL_FULL) => thread::sleep(TRY_REST),
            outcome => return outcome,
        }
    }
    attempt()
}

/// Stores a batch; whether there was room for it.
fn store(scene: &Scene<'_>, wire: &mut Wire, flight: &Flight) -> Result<bool, String> {
    scene.note(&Note::Sending(flight.sent));
    let request = Request::Produce { partition: flight.sent.partition, batch: flight.bytes.clone() };
    let answer = wire.send(&request).and_then(|_| wire.receive());
    let (_, response) = answer.map_err(|error| format!("batch {} after a start: {error:?}", flight.sent.tag))?;
    match hear(scene, flight.sent.tag, &response) {
        Ok(next) => Ok(next == Next::Stored),
        Err(over) => Err(format!("a batch after a start: {over:?}")),
    }
}
