//! From when a record is sent until a consumer has it decoded, and until its acknowledgement, in the same load.

use anyhow::{Context, Result};

use super::conditions::{batch_text, cores_text, loop_text, rounds_text};
use super::delivery::{Consumers, DeliveryLoad, DeliverySample};
use crate::cli::{E2eArguments, points};
use crate::client::load::{LoadSettings, WhenFull};
use crate::client::payload::Payloads;
use crate::floor::folder;
use crate::machine::{Machine, allow_connections};
use crate::report::{self, Column, Output, Point, Round, Series, count_text};
use crate::statistics::Latencies;
use crate::target::Target;

/// The columns of the table.
const COLUMNS: [Column; 11] = [
    Column { heading: "connections", number: "connections", with_range: false },
    Column { heading: "records/s", number: "records_per_second", with_range: true },
    Column { heading: "p50 µs", number: "p50_us", with_range: true },
    Column { heading: "p99 µs", number: "p99_us", with_range: true },
    Column { heading: "p99.9 µs", number: "p999_us", with_range: false },
    Column { heading: "max µs", number: "max_us", with_range: false },
    Column { heading: "ack p50 µs", number: "ack_p50_us", with_range: false },
    Column { heading: "ack p99 µs", number: "ack_p99_us", with_range: false },
    Column { heading: "delivery - ack p50 µs", number: "delivery_minus_ack_p50_us", with_range: true },
    Column { heading: "server CPU µs/record", number: "server_cpu_us_per_record", with_range: false },
    Column { heading: "client CPU µs/record", number: "client_cpu_us_per_record", with_range: false },
];

/// Measures all points and prints them.
pub fn run(arguments: &E2eArguments) -> Result<()> {
    let payloads = Payloads::build(&arguments.records.payload, arguments.records.size, arguments.batch)?;
    let load = load_of(arguments, &payloads);
    let counts = points(&arguments.connections)?;
    // Each point has as many consumers as connections that send.
    allow_connections(2 * counts.iter().copied().max().unwrap_or(0) as u64)?;
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.target.own.data.as_deref(), "e2e")?;
    let machine = Machine::of(home.path());
    let target = Target::start(&arguments.target, home.path())?;
    let mut samples: Vec<Vec<DeliverySample>> = counts.iter().map(|_| Vec::new()).collect();
    for round in 1..=arguments.records.rounds {
        for (count, samples) in counts.iter().zip(&mut samples) {
            let what = count_text(*count, "connection");
            report::progress(&format!("round {round} of {}: {what}", arguments.records.rounds));
            samples.push(measure(&load, &target, *count, round).with_context(|| format!("{what}, round {round}"))?);
        }
    }
    report::progress_end();
    target.stop()?;
    let points: Vec<Point> =
        counts.iter().zip(&samples).map(|(count, samples)| point(arguments, &payloads, *count, samples)).collect();
    let conditions = format!(
        "{}; {}, each connection to a partition of its own, which one consumer reads; {}; {}.\n",
        loop_text(arguments.rate, arguments.in_flight),
        batch_text(&payloads),
        rounds_text(arguments.records.rounds, Some(arguments.seconds)),
        cores_text(&arguments.target)
    );
    report::publish(&output, &machine, &conditions, &COLUMNS, &points)
}

fn load_of<'a>(arguments: &E2eArguments, payloads: &'a Payloads) -> DeliveryLoad<'a> {
    let settings = LoadSettings {
        in_flight: usize::from(arguments.in_flight),
        rate: arguments.rate.map(|rate| rate / f64::from(arguments.batch)),
        when_full: WhenFull::Wait,
        ..LoadSettings::lasting(arguments.seconds)
    };
    let (fetch_bytes, client_core) = (arguments.records.fetch_bytes, arguments.target.own.client_core);
    DeliveryLoad { payloads, settings, fetch_bytes, client_core }
}

fn measure(load: &DeliveryLoad<'_>, target: &Target, connections: usize, round: u32) -> Result<DeliverySample> {
    let name = format!("bench-{}-{round}-{connections}", std::process::id());
    load.measure(target, &name, u32::try_from(connections)?, Consumers::OneForEachPartition)
}

fn point(arguments: &E2eArguments, payloads: &Payloads, connections: usize, samples: &[DeliverySample]) -> Point {
    let mut ack = Latencies::new();
    samples.iter().for_each(|sample| ack.merge(&sample.load.latencies));
    let mut labels =
        vec![("connections", connections.into()), ("batch", arguments.batch.into()), ("size", payloads.size().into())];
    if arguments.in_flight > 1 {
        labels.push(("in_flight", arguments.in_flight.into()));
    }
    if let Some(rate) = arguments.rate {
        labels.push(("rate", rate.into()));
    }
    Point {
        bench: "e2e",
        labels,
        rounds: samples.iter().map(|sample| round_of(payloads, sample)).collect(),
        facts: Vec::new(),
        ratios: Vec::new(),
        series: vec![Series { name: "ack", latencies: ack }],
    }
}

fn round_of(payloads: &Payloads, sample: &DeliverySample) -> Round {
    let (delivery, ack) = (sample.matched.latencies.percentiles(), sample.load.latencies.percentiles());
    let records_per_second = sample.delivered_records_per_second(payloads);
    let mut numbers = vec![
        ("records_per_second", Some(records_per_second)),
        ("mb_per_second", Some(records_per_second * payloads.value_bytes() / 1e6)),
        ("ack_p50_us", Some(ack.p50_us)),
        ("ack_p99_us", Some(ack.p99_us)),
        ("delivery_minus_ack_p50_us", Some(delivery.p50_us - ack.p50_us)),
        ("journal_full_count", Some(sample.load.journal_full_count as f64)),
    ];
    numbers.extend(sample.costs.per_record(sample.stored_records(payloads)));
    Round { numbers, latencies: Some(sample.matched.latencies.clone()) }
}

#[cfg(test)]
mod tests;
