//! Who is measured: a server of our own or one that runs already, and what is counted of it from outside.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use florin_engine::catalogue::TopicSettings;
use florin_engine::io::fitness::BlockDevice;
use florin_engine::model::TopicId;

use crate::cli::{OwnServerArguments, TargetArguments};
use crate::client::control::{Control, JournalCounters};
use crate::machine::{process_cpu_us, thread_cpu_us};
use crate::report;
use crate::server::{Server, ServerSettings};

/// A server that can be loaded.
#[derive(Debug)]
pub struct Target {
    address: String,
    /// Its process, if it is ours.
    server: Option<Server>,
    /// The disk below its data, if that is known.
    device: Option<BlockDevice>,
}

/// What is counted from outside, before and after a load.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    journal: JournalCounters,
    server_cpu_us: Option<f64>,
    client_cpu_us: f64,
    flushes: Option<u64>,
}

/// What a load cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Costs {
    /// Of all threads of the server.
    pub server_cpu_us: Option<f64>,
    /// Of the thread that asks.
    pub client_cpu_us: f64,
    /// Blocks that became durable.
    pub journal_writes: Option<f64>,
    /// Flushes of the disk, whoever asked for them.
    pub flushes: Option<f64>,
    /// Batches that the server says it stored.
    pub captured_batches: u64,
}

impl Target {
    /// Starts a server below `home`, or takes the one that is named.
    pub fn start(arguments: &TargetArguments, home: &Path) -> Result<Self> {
        let Some(address) = &arguments.server else { return Self::start_own(&arguments.own, home) };
        let device = arguments.own.data.as_ref().and_then(|_| BlockDevice::of(home));
        Ok(Self { address: address.clone(), server: None, device })
    }

    /// Starts a server below `home`.
    pub fn start_own(arguments: &OwnServerArguments, home: &Path) -> Result<Self> {
        report::progress("starting a server");
        let server = Server::start(&ServerSettings::of(arguments, home.join("data")))?;
        Ok(Self::of(server, home))
    }

    /// A server that is none of ours.
    #[cfg(test)]
    pub fn named(address: String) -> Self {
        Self { address, server: None, device: None }
    }

    /// A server that was started.
    pub fn of(server: Server, directory: &Path) -> Self {
        Self { address: server.address().to_owned(), server: Some(server), device: BlockDevice::of(directory) }
    }

    /// Where shard 0 listens, or another.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The number of its process, if it is ours.
    pub fn process(&self) -> Option<u32> {
        self.server.as_ref().map(Server::process)
    }

    /// What is counted now, by the thread that loads it. A bare server tells nothing of itself: then without `control`.
    pub fn counters(&self, control: Option<&mut Control>) -> Result<Counters> {
        let journal = control.map(Control::journal_counters).transpose()?.unwrap_or_default();
        let flushes = self.device.as_ref().and_then(BlockDevice::flush_count);
        let server_cpu_us = self.process().and_then(process_cpu_us);
        Ok(Counters { journal, server_cpu_us, client_cpu_us: thread_cpu_us(), flushes })
    }

    /// Lets it drain and end, if it is ours.
    pub fn stop(self) -> Result<()> {
        self.server.map_or(Ok(()), Server::stop)
    }
}

impl Counters {
    /// What was spent since `before`.
    pub fn since(&self, before: &Self) -> Costs {
        let blocks = self.journal.durable_sequence.saturating_sub(before.journal.durable_sequence);
        let flushes = self.flushes.zip(before.flushes).map(|(after, before)| after.saturating_sub(before) as f64);
        Costs {
            server_cpu_us: self.server_cpu_us.zip(before.server_cpu_us).map(|(after, before)| after - before),
            client_cpu_us: self.client_cpu_us - before.client_cpu_us,
            journal_writes: (self.journal.durable_sequence > 0).then_some(blocks as f64),
            flushes,
            captured_batches: self.journal.captured_count.saturating_sub(before.journal.captured_count),
        }
    }
}

impl Costs {
    /// Shares of one of so many records, by the names that they have in reports.
    pub fn per_record(&self, record_count: f64) -> [(&'static str, Option<f64>); 4] {
        let share = |cost: f64| cost / record_count.max(1.0);
        [
            ("server_cpu_us_per_record", self.server_cpu_us.map(share)),
            ("client_cpu_us_per_record", Some(share(self.client_cpu_us))),
            ("journal_writes_per_record", self.journal_writes.map(share)),
            ("flushes_per_record", self.flushes.map(share)),
        ]
    }
}

impl ServerSettings {
    /// As the command line asks for, on a directory that is not there yet.
    pub fn of(arguments: &OwnServerArguments, directory: PathBuf) -> Self {
        Self {
            directory,
            shards: 1,
            journal_files: arguments.journal_files,
            journal_file_bytes: arguments.journal_file_bytes,
            core: arguments.server_core,
            settings: arguments.setting.clone(),
        }
    }
}

/// A topic that is created for a measurement.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: u32,
    /// What it keeps.
    pub settings: TopicSettings,
}

/// Does something with a topic of its own, which is deleted afterwards, whatever came of it.
pub fn with_topic<T>(
    target: &Target,
    name: &str,
    partitions: u32,
    work: impl FnOnce(&mut Control) -> Result<T>,
) -> Result<T> {
    let topic = NewTopic { name: name.to_owned(), partitions, settings: TopicSettings::default() };
    with_topics(target, &[topic], |control, _| work(control))
}

/// The same with several topics, whose ids are handed on in their order.
pub fn with_topics<T>(
    target: &Target,
    topics: &[NewTopic],
    work: impl FnOnce(&mut Control, &[TopicId]) -> Result<T>,
) -> Result<T> {
    let mut control = Control::connect_to_coordinator(target.address())?;
    let unused_files = control.journal_counters()?.unused_files;
    let mut created = Vec::new();
    let made = create(&mut control, topics, &mut created);
    let done = made.and_then(|()| work(&mut control, &created));
    let deleted = created.iter().try_for_each(|topic| control.delete_topic(*topic));
    let done = done?;
    deleted?;
    // What is measured next should not be the cleaning up after this.
    control.wait_for_unused_files(unused_files).context("the server cannot be asked any more")?;
    Ok(done)
}

/// Creates topics; those that came about are in `created`, whatever became of the others.
fn create(control: &mut Control, topics: &[NewTopic], created: &mut Vec<TopicId>) -> Result<()> {
    for topic in topics {
        created.push(control.create_topic_with(&topic.name, topic.partitions, topic.settings)?);
    }
    Ok(())
}
