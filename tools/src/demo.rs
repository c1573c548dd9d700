//! `florin demo`: real payments through a real server, and every one of them checked.
//!
//! [`place`] finds a disk, [`child`] runs the server, [`payments`] are the input, [`capture`] sends them, [`journals`]
//! looks at how often the journals went round meanwhile. After a restart [`mod@read_back`] reads everything and [`check`] holds
//! it against what was acknowledged; [`retention`] cuts the topic, and [`ledger`] accounts for what went and what is left.
//! [`report`] tells.

mod capture;
mod check;
mod child;
mod journals;
mod ledger;
mod payments;
mod place;
mod read_back;
mod report;
mod retention;

use std::process::ExitCode;

use anyhow::Result;
use florin_net::client::{Client, ClientSettings, TopicSettings};
use florin_net::protocol::{ShardDescription, TopicDescription};

use crate::cli::records::DemoArguments;
use crate::interrupt::Interrupt;
use crate::size::grouped;
use crate::verify::{Verdict, verify};
use crate::{host, output};
use capture::Captured;
use check::{Checker, Findings, PartitionSum};
use child::Server;
use journals::Journal;
use ledger::Ledger;
use payments::Payment;
use place::Place;
use read_back::{ReadBack, read_back};
use report::{AtRest, Blocks, Report, Verified};
use retention::Retained;

/// The topic.
const TOPIC: &str = "payments";
const PARTITION_COUNT: u32 = 32;

/// What everything is done with.
struct Stage<'a> {
    place: &'a Place,
    payments: &'a [Payment],
    /// Whether these are all payments that there are.
    is_all: bool,
    interrupt: &'a Interrupt,
}

/// What came of capturing.
struct Capturing {
    captured: Captured,
    blocks: Blocks,
    at_rest: Vec<AtRest>,
}

/// What came of the cut.
struct Cutting {
    retained: Retained,
    ledger: Ledger,
    findings: Findings,
}

/// Runs the demo; its directory is removed also if it fails.
pub fn run(arguments: &DemoArguments) -> Result<ExitCode> {
    let interrupt = Interrupt::watch()?;
    let mut payments = payments::all()?;
    let all_count = payments.len();
    payments.truncate(arguments.payments.unwrap_or(usize::MAX));
    let is_all = payments.len() == all_count;
    let place = Place::make(arguments.keep)?;
    let played = Stage { place: &place, payments: &payments, is_all, interrupt: &interrupt }.play();
    if let Some(kept) = place.leave()? {
        let kept = kept.display();
        output::print(&format!("kept    {kept}: `florin verify` and `florin dump` read its directory `data`\n"))?;
    }
    Ok(if played? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Stage<'_> {
    /// Captures, restarts, reads back, cuts, restarts once more, verifies and tells; whether everything holds.
    fn play(&self) -> Result<bool> {
        say("directory", &self.place.directory().display().to_string())?;
        if self.place.allow_cow {
            say("note", "the file system copies on write: fit to try it, not to keep payments")?;
        }
        let server = Server::start(self.place)?;
        say("server", &format!("{}, directory id {}", server.ready.address, server.ready.directory_id))?;
        let Capturing { captured, blocks, at_rest } = self.capture(&server)?;
        let (server, journals) = self.restart(server)?;

        let client = connect(&server)?;
        let topic = client.topic(TOPIC)?;
        let checker = Checker::new(self.payments, &captured.stored, PARTITION_COUNT as usize);
        let read = read_back(&client, &ledger::bounds(&client, &topic)?, checker, self.interrupt)?;
        let cold_read_count = client.describe_shards()?.iter().map(|shard| shard.cold_read_count).sum();
        let cutting = self.cut(&client, &topic, &captured, &read)?;
        drop(client);

        let (server, _) = self.restart(server)?;
        let bounds = ledger::bounds(&connect(&server)?, &topic)?;
        server.stop()?;
        let report = Report {
            captured: &captured,
            is_all: self.is_all,
            expected: PartitionSum::of(self.payments.iter().map(|payment| payment.cents)),
            blocks,
            at_rest: &at_rest,
            journals: &journals,
            findings: &read.findings,
            read_elapsed: read.elapsed,
            cold_read_count,
            retained: &cutting.retained,
            ledger: &cutting.ledger,
            findings_left: &cutting.findings,
            moved: &ledger::moved(&cutting.ledger.bounds, &bounds),
            verified: &self.verified(),
            allocated_bytes: self.place.allocated_bytes()?,
        };
        output::print(&format!("\n{}", report.in_words()))?;
        Ok(report.is_right())
    }

    /// Captures all payments into a new topic.
    fn capture(&self, server: &Server) -> Result<Capturing> {
        let client = connect(server)?;
        client.create_topic(TOPIC, PARTITION_COUNT, TopicSettings::default())?;
        say("topic", &format!("{TOPIC}, {PARTITION_COUNT} partitions"))?;
        let before = client.describe_shards()?;
        let count = grouped(self.payments.len() as u64);
        say("capturing", &format!("{count} payments, each a batch of its own, durably"))?;
        let captured = capture::capture(&client, self.payments, self.interrupt)?;
        let after = client.describe_shards()?;
        Ok(Capturing { captured, blocks: blocks(&before, &after), at_rest: after.iter().map(at_rest).collect() })
    }

    /// Stops the server, looks at its journals, and starts it again.
    fn restart(&self, server: Server) -> Result<(Server, Vec<Journal>)> {
        let stopping = host::monotonic();
        server.stop()?;
        let stop_ms = (host::monotonic() - stopping).as_millis();
        let journals = journals::read(&self.place.directory())?;
        let starting = host::monotonic();
        let server = Server::start(self.place)?;
        let start_ms = (host::monotonic() - starting).as_millis();
        let words = format!("the server stopped in order in {stop_ms} ms and serves again after {start_ms} ms");
        say("restarted", &words)?;
        Ok((server, journals))
    }

    /// Lets retention cut the topic, and reads what is left.
    fn cut(&self, client: &Client, topic: &TopicDescription, captured: &Captured, read: &ReadBack) -> Result<Cutting> {
        say("cutting", "the topic is altered to keep little; shards look every five seconds")?;
        let retained = retention::cut(client, topic, self.interrupt)?;
        let bounds = ledger::bounds(client, topic)?;
        let starts = bounds.iter().map(|bounds| bounds.start).collect();
        let checker = Checker::behind_cut(self.payments, &captured.stored, starts);
        let ReadBack { findings, sums: left, .. } = read_back(client, &bounds, checker, self.interrupt)?;
        let ledger = Ledger::new(self.payments, &captured.stored, &read.sums, bounds, left);
        Ok(Cutting { retained, ledger, findings })
    }

    /// What `florin verify` says of the directory, which nobody uses any more.
    fn verified(&self) -> Verified {
        let report = verify(&self.place.directory(), None);
        Verified { is_clean: report.verdict == Verdict::Clean, words: report.text() }
    }
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

fn at_rest(shard: &ShardDescription) -> AtRest {
    let ShardDescription { shard, segment_count, stored_bytes, .. } = *shard;
    AtRest { shard, segment_count: segment_count.into(), stored_bytes }
}
