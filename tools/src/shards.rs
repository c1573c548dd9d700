//! `florin shard` and `florin clock`: how the shards of a server are doing.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use florin_net::protocol::{Negotiated, ShardDescription, ShardState};
use serde::Serialize;

use crate::cli::network::{ClockCommand, ConfirmArguments, ListArguments, ShardCommand};
use crate::size::{Size, grouped};
use crate::table::{Align, Table};
use crate::{client, output};

#[cfg(test)]
mod tests;

#[derive(Debug, Serialize)]
struct ListDocument<'a> {
    directory_id: String,
    server: &'a str,
    shards: Vec<ShardDocument<'a>>,
}

/// A shard in JSON.
#[derive(Debug, Serialize)]
struct ShardDocument<'a> {
    shard: u16,
    state: &'static str,
    clock_suspended: bool,
    port: Option<u16>,
    epoch: u64,
    durable_sequence: u64,
    appended_sequence: u64,
    partition_count: u32,
    connection_count: u32,
    waiting_count: u32,
    unused_file_count: u32,
    held_bytes: u64,
    captured_count: u64,
    disk_full: bool,
    manifest_full: bool,
    held_bytes_max: u64,
    segment_count: u32,
    stored_bytes: u64,
    unsynced_bytes: u64,
    journal_used_bytes: u64,
    journal_bytes: u64,
    manifest_run_bytes: u64,
    manifest_run_bytes_max: u64,
    cold_read_count: u64,
    cold_waiting_count: u32,
    keys_recent_count: u64,
    keys_cached_bytes: u64,
    keys_read_count: u64,
    keys_waiting_count: u32,
    transactional_id_count: u32,
    unsettled_transaction_count: u32,
    open_transaction_count: u32,
    group_count: u32,
    coordinator_waiting_count: u32,
    problem: Option<&'a str>,
}

/// Does what is asked about shards.
pub fn run(command: &ShardCommand) -> Result<ExitCode> {
    match command {
        ShardCommand::List(arguments) => list(arguments),
    }
}

/// Does what is asked about the clock.
pub fn run_clock(command: &ClockCommand) -> Result<ExitCode> {
    match command {
        ClockCommand::Confirm(arguments) => confirm(arguments),
    }
}

fn list(arguments: &ListArguments) -> Result<ExitCode> {
    let client = client::connect(&arguments.at)?;
    let shards = client.describe_shards()?;
    let negotiated = client.server();
    if arguments.json {
        output::print_json(&ListDocument {
            directory_id: negotiated.directory_id.to_string(),
            server: &negotiated.server,
            shards: shards.iter().map(document).collect(),
        })?;
    } else {
        output::print(&in_words(&negotiated, &shards))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn confirm(arguments: &ConfirmArguments) -> Result<ExitCode> {
    let client = client::connect(&arguments.at)?;
    let shards = match arguments.shard {
        Some(shard) => {
            let count = client.server().shard_count;
            ensure!(
                shard < count,
                "the server at {} has no shard {shard}: it has {count}, from 0",
                arguments.at.server
            );
            vec![shard]
        }
        None => {
            client.describe_shards()?.iter().filter(|shard| shard.clock_suspended).map(|shard| shard.shard).collect()
        }
    };
    for shard in &shards {
        client.confirm_clock(*shard)?;
        output::print(&format!("shard {shard}: the clock is confirmed\n"))?;
    }
    if shards.is_empty() {
        output::print("no shard waits for its clock to be confirmed\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn in_words(negotiated: &Negotiated, shards: &[ShardDescription]) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("shard", Right),
        ("state", Left),
        ("port", Right),
        ("epoch", Right),
        ("durable block", Right),
        ("partitions", Right),
        ("connections", Right),
        ("waiting", Right),
        ("captured", Right),
    ]);
    for shard in shards {
        table.row(vec![
            shard.shard.to_string(),
            state_name(shard.state).replace('_', " "),
            if shard.port == 0 { "none".to_owned() } else { shard.port.to_string() },
            shard.epoch.to_string(),
            shard.durable_sequence.to_string(),
            grouped(shard.partition_count.into()),
            grouped(shard.connection_count.into()),
            grouped(shard.waiting_count.into()),
            grouped(shard.captured_count),
        ]);
        complaints(shard).for_each(|complaint| table.line(format!("       {complaint}")));
    }
    let mut text = String::new();
    let _ = writeln!(text, "{}, directory {}", negotiated.server, negotiated.directory_id);
    table.render(&mut text, 0);
    text.push('\n');
    storage_in_words(&mut text, shards);
    text
}

/// What is wrong with a shard, and what to do.
fn complaints(shard: &ShardDescription) -> impl Iterator<Item = String> {
    let number = shard.shard;
    let all = [
        (!shard.problem.is_empty(), shard.problem.clone()),
        (
            shard.clock_suspended,
            format!("its wall clock jumped: look at it, then `florin clock confirm --shard {number}`"),
        ),
        (
            shard.disk_full,
            "its disk is full, captures go on until its journal is: make room, or shorten the retention of topics"
                .to_owned(),
        ),
        (
            shard.manifest_full,
            "its manifest has no room for more runs, captures go on until its journal is full: use fewer partitions per \
             shard, larger segments, or a shorter retention"
                .to_owned(),
        ),
    ];
    all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words)
}

/// What each shard that is open stores, and how much of what it may use it uses.
fn storage_in_words(text: &mut String, shards: &[ShardDescription]) {
    use Align::Right;
    let mut table = Table::new(&[
        ("shard", Right),
        ("journal", Right),
        ("memory", Right),
        ("manifest", Right),
        ("at rest", Right),
        ("segment files", Right),
        ("unsynced", Right),
        ("cold reads", Right),
        ("waiting for one", Right),
    ]);
    for shard in shards.iter().filter(|shard| shard.journal_bytes > 0) {
        table.row(vec![
            shard.shard.to_string(),
            part_of(shard.journal_used_bytes, shard.journal_bytes),
            part_of(shard.held_bytes, shard.held_bytes_max),
            part_of(shard.manifest_run_bytes, shard.manifest_run_bytes_max),
            grouped(shard.stored_bytes),
            grouped(shard.segment_count.into()),
            grouped(shard.unsynced_bytes),
            grouped(shard.cold_read_count),
            grouped(shard.cold_waiting_count.into()),
        ]);
    }
    table.render(text, 0);
}

/// As it is shown: `12% of 64MiB`.
fn part_of(used: u64, of: u64) -> String {
    let percent = u128::from(used) * 100 / u128::from(of.max(1));
    format!("{percent}% of {}", Size(of).rounded())
}

fn state_name(state: ShardState) -> &'static str {
    match state {
        ShardState::Starting => "starting",
        ShardState::Serving => "serving",
        ShardState::Failed => "failed",
        ShardState::Stopping => "stopping",
        ShardState::NotOpen => "not_open",
    }
}

fn document(shard: &ShardDescription) -> ShardDocument<'_> {
    ShardDocument {
        shard: shard.shard,
        state: state_name(shard.state),
        clock_suspended: shard.clock_suspended,
        port: (shard.port != 0).then_some(shard.port),
        epoch: shard.epoch,
        durable_sequence: shard.durable_sequence,
        appended_sequence: shard.appended_sequence,
        partition_count: shard.partition_count,
        connection_count: shard.connection_count,
        waiting_count: shard.waiting_count,
        unused_file_count: shard.unused_file_count,
        held_bytes: shard.held_bytes,
        captured_count: shard.captured_count,
        disk_full: shard.disk_full,
        manifest_full: shard.manifest_full,
        held_bytes_max: shard.held_bytes_max,
        segment_count: shard.segment_count,
        stored_bytes: shard.stored_bytes,
        unsynced_bytes: shard.unsynced_bytes,
        journal_used_bytes: shard.journal_used_bytes,
        journal_bytes: shard.journal_bytes,
        manifest_run_bytes: shard.manifest_run_bytes,
        manifest_run_bytes_max: shard.manifest_run_bytes_max,
        cold_read_count: shard.cold_read_count,
        cold_waiting_count: shard.cold_waiting_count,
        keys_recent_count: shard.keys_recent_count,
        keys_cached_bytes: shard.keys_cached_bytes,
        keys_read_count: shard.keys_read_count,
        keys_waiting_count: shard.keys_waiting_count,
        transactional_id_count: shard.transactional_id_count,
        unsettled_transaction_count: shard.unsettled_transaction_count,
        open_transaction_count: shard.open_transaction_count,
        group_count: shard.group_count,
        coordinator_waiting_count: shard.coordinator_waiting_count,
        problem: Some(shard.problem.as_str()).filter(|problem| !problem.is_empty()),
    }
}
