//! What stands above the numbers, in words: how the load is made, and where everything runs.

use std::time::Duration;

use crate::cli::{OwnServerArguments, TargetArguments};
use crate::client::payload::Payloads;
use crate::report::{core_text, count_text};

/// How a load asks.
pub fn loop_text(rate: Option<f64>, in_flight: u16) -> String {
    match (rate, in_flight) {
        (Some(rate), _) => format!("Open loop of {rate} records/s, latencies from when each is due"),
        (None, 1) => "Closed loop, 1 batch in flight per connection".to_owned(),
        (None, count) => format!("Closed loop, {count} batches in flight per connection"),
    }
}

/// What a batch is.
pub fn batch_text(payloads: &Payloads) -> String {
    let records = count_text(usize::try_from(payloads.record_count()).unwrap_or(usize::MAX), "record");
    format!("batches of {records} of {:.0} bytes", payloads.value_bytes())
}

/// How often, and for how long if that is set.
pub fn rounds_text(rounds: u32, seconds: Option<Duration>) -> String {
    let rounds = count_text(usize::try_from(rounds).unwrap_or(usize::MAX), "round");
    let each = seconds.map(|seconds| format!(" of {} s", seconds.as_secs_f64())).unwrap_or_default();
    format!("{rounds}{each}, median (range)")
}

/// Who runs where.
pub fn cores_text(target: &TargetArguments) -> String {
    match &target.server {
        Some(address) => format!("client on {}, server {address}", core_text(target.own.client_core)),
        None => own_cores_text(&target.own),
    }
}

/// The same of a server of our own.
pub fn own_cores_text(own: &OwnServerArguments) -> String {
    format!("client on {}, server on {}", core_text(own.client_core), core_text(own.server_core))
}
