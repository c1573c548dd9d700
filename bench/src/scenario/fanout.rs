//! Many consumers that each read everything that is sent, at a rate: what a delivery takes, and costs the server.

use anyhow::{Context, Result};

use super::conditions::{batch_text, cores_text, loop_text, rounds_text};
use super::delivery::{Consumers, DeliveryLoad, DeliverySample};
use crate::cli::{FanoutArguments, points};
use crate::client::load::{LoadSettings, WhenFull};
use crate::client::payload::Payloads;
use crate::floor::folder;
use crate::machine::{Machine, allow_connections};
use crate::report::{self, Column, Output, Point, Round, Series, count_text};
use crate::statistics::Latencies;
use crate::target::Target;

/// The columns of the table.
const COLUMNS: [Column; 10] = [
    Column { heading: "consumers", number: "consumers", with_range: false },
    Column { heading: "records/s delivered", number: "records_per_second", with_range: true },
    Column { heading: "MB/s delivered", number: "mb_per_second", with_range: false },
    Column { heading: "p50 µs", number: "p50_us", with_range: true },
    Column { heading: "p99 µs", number: "p99_us", with_range: true },
    Column { heading: "p99.9 µs", number: "p999_us", with_range: false },
    Column { heading: "max µs", number: "max_us", with_range: false },
    Column { heading: "ack p50 µs", number: "ack_p50_us", with_range: false },
    Column { heading: "server CPU µs/delivered", number: "server_cpu_us_per_delivered_record", with_range: true },
    Column { heading: "client CPU µs/delivered", number: "client_cpu_us_per_delivered_record", with_range: false },
];

/// Measures all points and prints them.
pub fn run(arguments: &FanoutArguments) -> Result<()> {
    let payloads = Payloads::build(&arguments.records.payload, arguments.records.size, arguments.batch)?;
    let load = load_of(arguments, &payloads);
    let counts = points(&arguments.consumers)?;
    allow_connections(counts.iter().copied().max().unwrap_or(0) as u64 + u64::from(arguments.partitions))?;
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.target.own.data.as_deref(), "fanout")?;
    let machine = Machine::of(home.path());
    let target = Target::start(&arguments.target, home.path())?;
    let mut samples: Vec<Vec<DeliverySample>> = counts.iter().map(|_| Vec::new()).collect();
    for round in 1..=arguments.records.rounds {
        for (count, samples) in counts.iter().zip(&mut samples) {
            let what = count_text(*count, "consumer");
            report::progress(&format!("round {round} of {}: {what}", arguments.records.rounds));
            let sample = measure(&load, &target, arguments.partitions, *count, round);
            samples.push(sample.with_context(|| format!("{what}, round {round}"))?);
        }
    }
    report::progress_end();
    target.stop()?;
    let points: Vec<Point> =
        counts.iter().zip(&samples).map(|(count, samples)| point(arguments, &payloads, *count, samples)).collect();
    let conditions = format!(
        "{}; {} over {}, each of which every consumer reads; {}; {}.\n",
        loop_text(Some(arguments.rate), 1),
        batch_text(&payloads),
        count_text(usize::try_from(arguments.partitions)?, "partition"),
        rounds_text(arguments.records.rounds, Some(arguments.seconds)),
        cores_text(&arguments.target)
    );
    report::publish(&output, &machine, &conditions, &COLUMNS, &points)
}

fn load_of<'a>(arguments: &FanoutArguments, payloads: &'a Payloads) -> DeliveryLoad<'a> {
    let settings = LoadSettings {
        rate: Some(arguments.rate / f64::from(arguments.batch)),
        when_full: WhenFull::Wait,
        ..LoadSettings::lasting(arguments.seconds)
    };
    let (fetch_bytes, client_core) = (arguments.records.fetch_bytes, arguments.target.own.client_core);
    DeliveryLoad { payloads, settings, fetch_bytes, client_core }
}

fn measure(
    load: &DeliveryLoad<'_>,
    target: &Target,
    partitions: u32,
    consumers: usize,
    round: u32,
) -> Result<DeliverySample> {
    let name = format!("bench-{}-{round}-{consumers}", std::process::id());
    load.measure(target, &name, partitions, Consumers::OfEverything(consumers))
}

fn point(arguments: &FanoutArguments, payloads: &Payloads, consumers: usize, samples: &[DeliverySample]) -> Point {
    let mut ack = Latencies::new();
    samples.iter().for_each(|sample| ack.merge(&sample.load.latencies));
    Point {
        bench: "fanout",
        labels: vec![
            ("consumers", consumers.into()),
            ("rate", arguments.rate.into()),
            ("partitions", arguments.partitions.into()),
            ("batch", arguments.batch.into()),
            ("size", payloads.size().into()),
        ],
        rounds: samples.iter().map(|sample| round_of(payloads, sample)).collect(),
        facts: Vec::new(),
        ratios: Vec::new(),
        series: vec![Series { name: "ack", latencies: ack }],
    }
}

fn round_of(payloads: &Payloads, sample: &DeliverySample) -> Round {
    let ack = sample.load.latencies.percentiles();
    let records_per_second = sample.delivered_records_per_second(payloads);
    let stored_batches = sample.load.latencies.count() * u64::from(payloads.record_count());
    let per_delivered = |cost: f64| cost / sample.delivered_records(payloads).max(1.0);
    let mut numbers = vec![
        ("records_per_second", Some(records_per_second)),
        ("mb_per_second", Some(records_per_second * payloads.value_bytes() / 1e6)),
        ("sent_records_per_second", Some(stored_batches as f64 / sample.load.counted_seconds)),
        ("ack_p50_us", Some(ack.p50_us)),
        ("ack_p99_us", Some(ack.p99_us)),
        ("server_cpu_us_per_delivered_record", sample.costs.server_cpu_us.map(per_delivered)),
        ("client_cpu_us_per_delivered_record", Some(per_delivered(sample.costs.client_cpu_us))),
        ("journal_full_count", Some(sample.load.journal_full_count as f64)),
    ];
    numbers.extend(sample.costs.per_record(sample.stored_records(payloads)));
    Round { numbers, latencies: Some(sample.matched.latencies.clone()) }
}

#[cfg(test)]
mod tests;
