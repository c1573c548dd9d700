//! Records that lie in segment files and nowhere else: written before anything is measured, taken to rest by the
//! server, which is then started again, so that its memory has none of them.

#![allow(clippy::disallowed_methods, reason = "a bench waits by the host's clock")]

mod filling;
mod reading;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use florin_engine::limits::BLOCK_BYTES_MAX;
use florin_engine::model::{Offset, PartitionId};

use crate::cli::OwnServerArguments;
use crate::client::control::Control;
#[cfg(test)]
use crate::client::fake_server::FakeServer;
use crate::client::load::{Load, LoadSettings, WhenFull};
#[cfg(test)]
use crate::client::payload::PayloadKind;
use crate::client::payload::Payloads;
use crate::client::reader::{AtEnd, LanePlan, ReaderPlan, Stretch};
use crate::client::routes;
use crate::floor::require_space;
use crate::machine::on_core;
use crate::report;
use crate::server::{LOG_VARIABLE, Server, ServerSettings};
use crate::target::Target;

use filling::Filling;
pub use reading::{Reading, ReadingTotals};

const TOPIC: &str = "bench-old";
const FILLER: &str = "bench-filler";
/// Bytes of batches under way at the same time: half of what a shard admits before it says that it is busy.
const UNDER_WAY_BYTES_MAX: u64 = 8 << 20;
/// What is written before it is measured may take so long.
const FILL_WAIT: Duration = Duration::from_secs(3600);
/// Segment files are written in the background, with pauses.
const REST_WAIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(20);

/// What is written.
#[derive(Clone, Copy, Debug)]
pub struct OldDataSettings<'a> {
    /// Batches.
    pub payloads: &'a Payloads,
    /// Bytes of them, about.
    pub bytes: u64,
    /// Partitions, each with about the same.
    pub partition_count: usize,
    /// The server, which is our own.
    pub target: &'a OwnServerArguments,
}

/// What is in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Which.
    pub partition: PartitionId,
    /// Behind its last record; it begins at 0.
    pub end: Offset,
    /// Bytes of its batches.
    pub batch_bytes: u64,
    /// Their checksums, added up: what tells whether the same batches are read.
    pub crc_sum: u64,
}

/// A server with old records.
#[derive(Debug)]
pub struct OldData {
    target: Option<Target>,
    settings: ServerSettings,
    home: PathBuf,
    partitions: Vec<Filled>,
    journal_full_count: u64,
}

impl OldData {
    /// Starts a server below `home`, writes, waits until everything is at rest, and starts the server again.
    pub fn prepare(settings: &OldDataSettings<'_>, home: &Path) -> Result<Self> {
        let server = ServerSettings::of(settings.target, home.join("data"));
        let ring_bytes = server.journal_file_bytes * u64::from(server.journal_files);
        // What merges write again stands beside it for a while.
        require_space(home, 2 * settings.bytes + 2 * ring_bytes)?;
        report::progress("starting a server");
        let target = Target::of(Server::start(&quiet(&server))?, home);
        let mut data = Self {
            target: Some(target),
            settings: server,
            home: home.to_owned(),
            partitions: Vec::new(),
            journal_full_count: 0,
        };
        let core = settings.target.client_core;
        let partitions = on_core(core, || data.fill(settings, TOPIC, settings.bytes, settings.partition_count))?;
        data.partitions = partitions;
        // A ring file is taken to rest when it is full: what is written last only goes on to fill it.
        let more = data.settings.journal_file_bytes + 2 * BLOCK_BYTES_MAX as u64;
        on_core(core, || data.fill(settings, FILLER, more, 1))?;
        data.wait_until_at_rest()?;
        data.restart()?;
        Ok(data)
    }

    /// The server as it runs now.
    pub fn target(&self) -> &Target {
        self.target.as_ref().expect("it is gone only while it is started again, or for good after that failed")
    }

    /// What is in each partition.
    pub fn partitions(&self) -> &[Filled] {
        &self.partitions
    }

    /// How often the journal was full while this was written.
    pub fn journal_full_count(&self) -> u64 {
        self.journal_full_count
    }

    /// Starts the server again, and makes sure that its memory holds none of the records.
    pub fn restart(&mut self) -> Result<()> {
        report::progress("starting the server again");
        if let Some(target) = self.target.take() {
            target.stop()?;
        }
        self.target = Some(Target::of(Server::start(&self.settings)?, &self.home));
        self.check_at_rest()
    }

    /// Ends the server.
    pub fn stop(mut self) -> Result<()> {
        self.target.take().map_or(Ok(()), Target::stop)
    }

    /// Makes sure that everything is there, and nothing of it in memory.
    pub fn check_at_rest(&self) -> Result<()> {
        let mut control = Control::connect(self.target().address())?;
        let topic = control.placement(TOPIC)?.topic;
        let found = control.partitions(topic)?;
        ensure!(found.len() == self.partitions.len(), "the topic has {} partitions", found.len());
        for (filled, found) in self.partitions.iter().zip(found) {
            let (start, end, expected) = (found.start_offset, found.high_watermark, filled.end.0);
            let partition = filled.partition;
            ensure!(
                (start, end) == (0, expected),
                "partition {partition} has offsets {start} to {end}, not 0 to {expected}: something was lost or cut"
            );
            ensure!(
                found.held_bytes == 0,
                "{} bytes of partition {partition} are in memory, where none should be: they are not at rest",
                found.held_bytes
            );
        }
        Ok(())
    }

    /// Who reads what: the partitions are dealt to so many readers, each of which reads its own one after the other.
    pub fn reader_plans(&self, readers: usize, at_end: AtEnd, fetch_bytes: u32) -> Vec<ReaderPlan> {
        // A server of our own has one shard, and so one port.
        let address = self.target().address();
        deal(&self.partitions, readers, at_end)
            .into_iter()
            .map(|lane| ReaderPlan { address: address.to_owned(), lanes: vec![lane], fetch_bytes })
            .collect()
    }

    /// Creates a topic and writes to all of its partitions, one connection for each.
    fn fill(
        &mut self,
        settings: &OldDataSettings<'_>,
        name: &str,
        bytes: u64,
        partition_count: usize,
    ) -> Result<Vec<Filled>> {
        let (payloads, batch_bytes) = (settings.payloads, settings.payloads.batch_bytes());
        let mut control = Control::connect_to_coordinator(self.target().address())?;
        control.create_topic(name, u32::try_from(partition_count)?)?;
        let routes = routes::to_each_partition(&control.placement(name)?)?;
        let each_under_way = UNDER_WAY_BYTES_MAX / (batch_bytes * partition_count as u64);
        ensure!(
            each_under_way > 0,
            "{partition_count} partitions with a batch of {batch_bytes} bytes each under way are more than a shard \
             takes at a time: use fewer readers or smaller batches"
        );
        let load_settings = LoadSettings {
            warm_up: Duration::ZERO,
            in_flight: usize::try_from(each_under_way.min(8))?,
            batch_count_max: Some((bytes / batch_bytes).max(partition_count as u64)),
            when_full: WhenFull::Wait,
            ..LoadSettings::lasting(FILL_WAIT)
        };
        let mut filling = Filling::new(payloads, &routes, bytes);
        let sample = Load::connect(&routes)?.run(payloads, load_settings, &mut filling)?;
        self.journal_full_count += sample.journal_full_count;
        filling.finish()
    }

    /// Waits until the journal holds nothing that is not in segment files, but for what its last file has; then the
    /// filler goes.
    fn wait_until_at_rest(&self) -> Result<()> {
        report::progress("waiting until everything is at rest");
        let mut control = Control::connect_to_coordinator(self.target().address())?;
        // The file that is written, and at most one that was opened ahead.
        let wanted = u32::from(self.settings.journal_files).saturating_sub(2);
        let begun = Instant::now();
        loop {
            let shards = control.shards()?;
            if shards.iter().all(|shard| shard.unused_file_count >= wanted && shard.unsynced_bytes == 0) {
                break;
            }
            if begun.elapsed() > REST_WAIT {
                let unused: Vec<u32> = shards.iter().map(|shard| shard.unused_file_count).collect();
                bail!(
                    "after {} s only {unused:?} of {} journal files are unused, and {wanted} should be: the disk is too \
                     slow, or full",
                    REST_WAIT.as_secs(),
                    self.settings.journal_files
                );
            }
            std::thread::sleep(PAUSE);
        }
        let filler = control.placement(FILLER)?.topic;
        control.delete_topic(filler).context("the filler cannot be deleted")
    }
}

#[cfg(test)]
impl OldData {
    /// On a server without a disk, for tests of who uses it.
    fn on(server: &FakeServer, target: &OwnServerArguments, partitions: Vec<Filled>) -> Self {
        Self {
            target: Some(Target::named(server.address(0))),
            settings: ServerSettings::of(target, PathBuf::new()),
            home: PathBuf::new(),
            partitions,
            journal_full_count: 0,
        }
    }

    /// The same, with some batches in so many partitions.
    pub fn on_with_batches(server: &FakeServer, target: &OwnServerArguments, partition_count: usize) -> Self {
        let payloads = Payloads::build(&PayloadKind::Random, 100, 3).expect("they are small");
        let settings = OldDataSettings { payloads: &payloads, bytes: 20_000, partition_count, target };
        let mut data = Self::on(server, target, Vec::new());
        data.partitions = data.fill(&settings, TOPIC, settings.bytes, partition_count).expect("it takes everything");
        data
    }
}

/// As little as possible in its log, unless somebody wants to see it: that a journal is full is no news while it is
/// filled as fast as it can be.
fn quiet(settings: &ServerSettings) -> ServerSettings {
    let is_log = |setting: &String| setting.split('=').next() == Some("log");
    let mut quiet = settings.clone();
    if !settings.settings.iter().any(is_log) && std::env::var_os(LOG_VARIABLE).is_none() {
        quiet.settings.push("log=error".to_owned());
    }
    quiet
}

/// Deals partitions to so many readers, in turn; no more readers than there are partitions.
fn deal(partitions: &[Filled], readers: usize, at_end: AtEnd) -> Vec<LanePlan> {
    let of_reader = |number: usize| {
        let dealt = partitions.iter().skip(number).step_by(readers);
        let stretch = |filled: &Filled| Stretch { partition: filled.partition, from: Offset(0), to: Some(filled.end) };
        LanePlan { stretches: dealt.map(stretch).collect(), at_end }
    };
    (0..readers.min(partitions.len())).map(of_reader).collect()
}

#[cfg(test)]
mod tests;
