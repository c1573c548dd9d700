//! `florin key`: where the payment with an idempotency key is stored.

use std::process::ExitCode;

use anyhow::{Context, Result};
use bytes::Bytes;
use florin_net::client::{FoundKey, KeyReceipt};
use florin_net::protocol::TopicDescription;
use serde::Serialize;

use crate::cli::keys::{KeyCommand, KeyGetArguments};
use crate::time::rfc3339;
use crate::{EXIT_FAILED, base64, client, output};

#[cfg(test)]
mod tests;

/// What is stored under a key, in JSON.
#[derive(Debug, Serialize)]
struct KeyDocument<'a> {
    topic: &'a str,
    partition: u32,
    stored: bool,
    offset: Option<u64>,
    append_time: Option<String>,
}

/// Does what is asked.
pub fn run(command: &KeyCommand) -> Result<ExitCode> {
    match command {
        KeyCommand::Get(arguments) => get(arguments),
    }
}

fn get(arguments: &KeyGetArguments) -> Result<ExitCode> {
    let key = if arguments.base64 {
        base64::decode(&arguments.key).context("the key is no base64 with padding")?
    } else {
        arguments.key.clone().into_bytes()
    };
    let client = client::connect(&arguments.at)?;
    let topic = client::topic(&client, &arguments.topic, &arguments.at)?;
    let found = client.look_up_key(&topic, Bytes::from(key))?;
    if arguments.json {
        output::print_json(&document(&topic, &found))?;
    } else {
        output::print(&in_words(&topic, &found))?;
    }
    Ok(if found.receipt.is_some() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

fn document<'a>(topic: &'a TopicDescription, found: &FoundKey) -> KeyDocument<'a> {
    KeyDocument {
        topic: &topic.name,
        partition: found.partition,
        stored: found.receipt.is_some(),
        offset: found.receipt.map(|receipt| receipt.offset.0),
        append_time: found.receipt.map(|receipt| rfc3339(receipt.append_time)),
    }
}

fn in_words(topic: &TopicDescription, found: &FoundKey) -> String {
    let partition = found.partition;
    match found.receipt {
        Some(KeyReceipt { offset, append_time }) => {
            format!("stored: partition {partition}, offset {offset}, appended {}\n", rfc3339(append_time))
        }
        None => {
            let days = topic.keys.as_ref().map_or(0, |rule| rule.window_days());
            format!("nothing is stored under this key within {days} days; it belongs to partition {partition}\n")
        }
    }
}
