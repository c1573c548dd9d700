//! `florin demo`: real payments through a real server, and every one of them checked.
//!
//! [`place`] finds a disk, [`child`] runs the server, [`payments`] are the input, [`capture`] sends them, [`check`]
//! holds what is read back after a restart against what was acknowledged, [`report`] tells.

mod capture;
mod check;
mod child;
mod payments;
mod place;
mod report;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use florin_engine::model::PartitionId;
use florin_net::client::{Client, ClientSettings, ConsumerSettings, TopicSettings};
use florin_net::protocol::{ListAt, ShardDescription};

use crate::cli::records::DemoArguments;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::size::grouped;
use crate::{host, output};
use capture::Captured;
use check::{Checker, Findings, PartitionSum, Read};
use child::Server;
use payments::Payment;
use place::Place;
use report::{Blocks, Report};

/// The topic.
const TOPIC: &str = "payments";
const PARTITION_COUNT: u32 = 32;
/// How long nothing may come while something is still to be read.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How often it is looked at whether somebody wants the demo to end.
const POLL_TIMEOUT: Duration = Duration::from_millis(200);

/// What came of reading everything back.
struct ReadBack {
    findings: Findings,
    sums: Vec<PartitionSum>,
    elapsed: Duration,
}

/// Runs the demo; its directory is removed also if it fails.
pub fn run(arguments: &DemoArguments) -> Result<ExitCode> {
    let interrupt = Interrupt::watch()?;
    let mut payments = payments::all()?;
    payments.truncate(arguments.payments.unwrap_or(usize::MAX));
    let place = Place::make(arguments.keep)?;
    let played = play(&place, &payments, &interrupt);
    if let Some(kept) = place.leave()? {
        output::print(&format!("kept    {}: `florin verify` checks its directory `data`\n", kept.display()))?;
    }
    Ok(if played? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Captures, restarts, reads back and tells; whether everything holds.
fn play(place: &Place, payments: &[Payment], interrupt: &Interrupt) -> Result<bool> {
    say("directory", &place.directory().display().to_string())?;
    if place.allow_cow {
        say("note", "the file system copies on write: fit to try it, not to keep payments")?;
    }
    let server = Server::start(place)?;
    say("server", &format!("{}, directory id {}", server.ready.address, server.ready.directory_id))?;
    let client = connect(&server)?;
    client.create_topic(TOPIC, PARTITION_COUNT, TopicSettings::default())?;
    say("topic", &format!("{TOPIC}, {PARTITION_COUNT} partitions"))?;
    let shards_before = client.describe_shards()?;
    say("capturing", &format!("{} payments, each a batch of its own, durably", grouped(payments.len() as u64)))?;
    let captured = capture::capture(&client, payments, interrupt)?;
    let blocks = blocks(&shards_before, &client.describe_shards()?);
    drop(client);

    let stopping = host::monotonic();
    server.stop()?;
    let stopped = host::monotonic();
    let server = Server::start(place)?;
    let (stop_ms, start_ms) = ((stopped - stopping).as_millis(), (host::monotonic() - stopped).as_millis());
    say("restarted", &format!("the server stopped in order in {stop_ms} ms and serves again after {start_ms} ms"))?;
    let read = read_back(&connect(&server)?, payments, &captured, interrupt)?;
    server.stop()?;

    let report = Report {
        captured: &captured,
        sums: &read.sums,
        findings: &read.findings,
        blocks,
        allocated_bytes: place.allocated_bytes()?,
        read_elapsed: read.elapsed,
        expected: PartitionSum::of(payments.iter().map(|payment| payment.cents)),
    };
    output::print(&format!("\n{}", report.in_words()))?;
    Ok(report.is_right())
}

fn say(what: &str, words: &str) -> Result<()> {
    output::print(&format!("{what:<12}  {words}\n"))
}

fn connect(server: &Server) -> Result<Client> {
    let mut settings = ClientSettings::new(server.ready.address.as_str());
    settings.name = "florin demo".to_owned();
    Ok(Client::connect(settings)?)
}

/// What the shards did between two looks.
fn blocks(before: &[ShardDescription], after: &[ShardDescription]) -> Blocks {
    let sum =
        |shards: &[ShardDescription], number: fn(&ShardDescription) -> u64| -> u64 { shards.iter().map(number).sum() };
    let done = |number| sum(after, number).saturating_sub(sum(before, number));
    Blocks { block_count: done(|shard| shard.durable_sequence), captured_count: done(|shard| shard.captured_count) }
}

/// Reads every partition from its beginning to its end.
fn read_back(client: &Client, payments: &[Payment], captured: &Captured, interrupt: &Interrupt) -> Result<ReadBack> {
    let topic = client.topic(TOPIC)?;
    let mut ends = Vec::new();
    for index in 0..PARTITION_COUNT {
        ends.push(client.list_offset(PartitionId { topic: topic.id, index }, ListAt::End)?);
    }
    let total = ends.iter().map(|end| end.0).sum();
    let progress = Progress::new(Some(total), "payments read back");
    let started = host::monotonic();
    let mut checker = Checker::new(payments, &captured.stored, PARTITION_COUNT as usize);
    let mut consumer = client.consumer(ConsumerSettings::new(TOPIC))?;
    let (mut read_count, mut last_heard) = (0, started);
    // Beyond the ends nothing can be: nobody else writes here.
    while read_count < total {
        ensure!(!interrupt.is_asked(), "interrupted");
        for batch in consumer.poll(POLL_TIMEOUT)? {
            for record in batch.records() {
                checker.read(Read {
                    partition: batch.partition,
                    offset: record.offset.0,
                    timestamp_ms: record.timestamp_ms,
                    key: record.key,
                    value: record.value,
                });
                read_count += 1;
                progress.show(read_count, read_count);
            }
            last_heard = host::monotonic();
        }
        let silence = host::monotonic().saturating_sub(last_heard);
        ensure!(silence < SILENCE_MAX, "only {read_count} of {total} records came back, then nothing for {silence:?}");
    }
    progress.finish();
    let elapsed = host::monotonic().saturating_sub(started);
    let (findings, sums) = checker.finish();
    Ok(ReadBack { findings, sums, elapsed })
}
