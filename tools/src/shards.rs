//! `florin shard` and `florin clock`: how the shards of a server are doing.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use florin_net::protocol::{Negotiated, ShardDescription, ShardState};
use serde::Serialize;

use crate::cli::network::{ClockCommand, ConfirmArguments, ListArguments, ShardCommand};
use crate::size::grouped;
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
        ("unused files", Right),
        ("bytes", Right),
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
            shard.unused_file_count.to_string(),
            grouped(shard.held_bytes),
            grouped(shard.captured_count),
        ]);
        if !shard.problem.is_empty() {
            table.line(format!("       {}", shard.problem));
        }
        if shard.clock_suspended {
            table.line(format!(
                "       its wall clock jumped: look at it, then `florin clock confirm --shard {}`",
                shard.shard
            ));
        }
    }
    let mut text = String::new();
    let _ = writeln!(text, "{}, directory {}", negotiated.server, negotiated.directory_id);
    table.render(&mut text, 0);
    text
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
        problem: Some(shard.problem.as_str()).filter(|problem| !problem.is_empty()),
    }
}
