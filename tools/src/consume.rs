//! `florin consume`: shows the records of a topic, one line each.
//!
//! Each partition is shown in its order; between partitions there is none. Without `--follow` it ends where each
//! partition ended when it began, so that it ends at all while others go on writing.

pub mod lines;
pub mod print;
pub mod start;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Isolation;
use florin_net::client::{Client, ClientError, ConsumedBatch, Consumer, ConsumerSettings, Start};
use florin_net::protocol::{Code, ListAt, TopicDescription};

use crate::cli::records::{ConsumeArguments, OutputFormat, Shows};
use crate::interrupt::Interrupt;
use crate::size::counted;
use crate::{EXIT_WRONG_ARGUMENTS, client, host, output};
use lines::Lines;
use print::Shown;

/// How long nothing may come before it is looked at whether somebody still reads and nobody wants it to end.
const POLL_TIMEOUT: Duration = Duration::from_millis(200);

/// Shows what is asked for.
pub fn run(arguments: &ConsumeArguments) -> Result<ExitCode> {
    let interrupt = Interrupt::watch()?;
    let start = match arguments.from.start(host::realtime(), arguments.partitions.len()) {
        Ok(start) => start,
        Err(problem) => {
            output::complain(&problem.to_string());
            return Ok(ExitCode::from(EXIT_WRONG_ARGUMENTS));
        }
    };
    let client = client::connect(&arguments.at)?;
    let topic = client::topic(&client, &arguments.topic, &arguments.at)?;
    let partitions = partitions(arguments, &topic)?;
    if let Start::Offset(offset) = start {
        partitions.iter().try_for_each(|index| check_offset(&client, &topic, *index, offset))?;
    }
    let format = if arguments.json { OutputFormat::Json } else { arguments.format };
    let left_count = arguments.count.unwrap_or(u64::MAX);
    let mut lines = Lines::new(format, left_count);
    let mut settings = ConsumerSettings::new(arguments.topic.as_str());
    settings.start = start;
    settings.isolation = match arguments.isolation {
        Shows::Committed => Isolation::Committed,
        Shows::Uncommitted => Isolation::Uncommitted,
    };
    let shown = if arguments.follow {
        // Without a choice also those that are added meanwhile.
        settings.partitions = (!arguments.partitions.is_empty()).then_some(partitions);
        follow(client.consumer(settings)?, &mut lines, &interrupt)
    } else {
        let ends = ends(&client, &topic, &partitions, &settings)?;
        if ends.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        settings.partitions = Some(ends.keys().copied().collect());
        to_end(client.consumer(settings)?, ends, &mut lines, &interrupt)
    };
    // What was read before a failure is shown before the failure is.
    lines.write()?;
    shown?;
    Ok(ExitCode::SUCCESS)
}

/// The partitions asked for, each once.
fn partitions(arguments: &ConsumeArguments, topic: &TopicDescription) -> Result<Vec<u32>> {
    let count = u32::try_from(topic.placement.len()).unwrap_or(u32::MAX);
    if arguments.partitions.is_empty() {
        return Ok((0..count).collect());
    }
    let mut partitions = arguments.partitions.clone();
    partitions.sort_unstable();
    partitions.dedup();
    partitions.iter().try_for_each(|partition| client::check_partition(topic, *partition))?;
    Ok(partitions)
}

/// Refuses an offset that a partition does not have; its end is one, where reading waits for what comes.
fn check_offset(client: &Client, topic: &TopicDescription, index: u32, offset: Offset) -> Result<()> {
    let partition = PartitionId { topic: topic.id, index };
    let begins = client.list_offset(partition, ListAt::Start)?;
    let end = client.list_offset(partition, ListAt::End)?;
    ensure!(
        (begins..=end).contains(&offset),
        "partition {index} of topic {} has no offset {offset}: choose one from {begins} to {end}, where it ends, or \
         read --from beginning or --from end",
        topic.name
    );
    Ok(())
}

/// Where each partition ends that has something to be read.
fn ends(
    client: &Client,
    topic: &TopicDescription,
    partitions: &[u32],
    settings: &ConsumerSettings,
) -> Result<BTreeMap<u32, Offset>> {
    let mut ends = BTreeMap::new();
    for index in partitions.iter().copied() {
        let partition = PartitionId { topic: topic.id, index };
        let end = end(client, topic, partition, settings.isolation)?;
        let first = match settings.start {
            Start::Beginning => client.list_offset(partition, ListAt::Start)?,
            Start::End => end,
            Start::Time(time) => client.list_offset(partition, ListAt::Time(time))?,
            Start::Timestamp(ms) => client.list_offset(partition, ListAt::Timestamp(ms))?,
            Start::Offset(offset) => offset,
        };
        if first < end {
            ends.insert(index, end);
        }
    }
    Ok(ends)
}

/// Where a partition ends for whoever reads so much of transactions. What is held back is told.
fn end(client: &Client, topic: &TopicDescription, partition: PartitionId, isolation: Isolation) -> Result<Offset> {
    if isolation == Isolation::Uncommitted {
        return Ok(client.list_offset(partition, ListAt::End)?);
    }
    // In this order: what is appended in between is no sign of a transaction.
    let end = client.list_offset(partition, ListAt::End)?;
    let stable = client.list_offset(partition, ListAt::Stable)?;
    if stable < end {
        let (name, index) = (&topic.name, partition.index);
        output::complain(&format!(
            "partition {index} is shown up to offset {stable}, {} before its end: a transaction is open there, or ended only just now. \
             `florin txn list --partition {name}:{index}` says which, --isolation uncommitted shows what is stored",
            counted(end.0 - stable.0, "offset", "offsets")
        ));
    }
    Ok(stable.min(end))
}

fn follow(mut consumer: Consumer, lines: &mut Lines, interrupt: &Interrupt) -> Result<()> {
    while !lines.is_done() && !interrupt.is_asked() {
        for batch in next_batches(&mut consumer)? {
            put_batch(lines, &batch, None)?;
        }
        lines.write()?;
        lines.look_for_reader();
    }
    Ok(())
}

fn to_end(
    mut consumer: Consumer,
    mut ends: BTreeMap<u32, Offset>,
    lines: &mut Lines,
    interrupt: &Interrupt,
) -> Result<()> {
    while !ends.is_empty() && !lines.is_done() && !interrupt.is_asked() {
        for batch in next_batches(&mut consumer)? {
            let Some(end) = ends.get(&batch.partition).copied() else { continue };
            put_batch(lines, &batch, Some(end))?;
        }
        // Positions count, not records: reading may have begun behind the end since it was asked for.
        ends.retain(|partition, end| consumer.position(*partition).is_none_or(|position| position < *end));
        lines.look_for_reader();
    }
    Ok(())
}

/// What is there to be shown. Lost offsets are told, and reading goes on behind them.
fn next_batches(consumer: &mut Consumer) -> Result<Vec<ConsumedBatch>> {
    match consumer.poll(POLL_TIMEOUT) {
        Err(ClientError::Refused(error)) if error.code == Code::LOST => {
            output::complain(&error.message);
            Ok(Vec::new())
        }
        result => Ok(result?),
    }
}

/// Puts the records before `end`, as far as they may still be shown.
fn put_batch(lines: &mut Lines, batch: &ConsumedBatch, end: Option<Offset>) -> Result<()> {
    for record in batch.records().take_while(|record| end.is_none_or(|end| record.offset < end)) {
        if lines.is_done() {
            break;
        }
        lines.put(&Shown {
            partition: batch.partition,
            offset: record.offset.0,
            append_time: batch.append_time,
            timestamp_ms: record.timestamp_ms,
            key: record.key,
            value: record.value,
            headers: record.headers.iter().map(|header| (header.key, header.value)).collect(),
        })?;
    }
    Ok(())
}
