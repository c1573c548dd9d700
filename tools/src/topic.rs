//! `florin topic`: creates, alters, lists, describes and deletes topics.

use std::fmt::Write;
use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context, Error, Result, anyhow, ensure};
use florin_engine::model::Realtime;
use florin_engine::partition::CutReason;
use florin_net::client::{AlteredTopic, ClientError, DescribedTopic, TopicChange, TopicSettings};
use florin_net::protocol::{Code, PartitionDescription, TopicDescription};
use serde::Serialize;

use crate::cli::network::{
    AlterArguments, CreateArguments, DeleteArguments, DescribeArguments, ListArguments, TopicCommand,
};
use crate::duration::Span;
use crate::size::{Size, counted, grouped};
use crate::table::{Align, Table};
use crate::time::{rfc3339, rfc3339_unless_never};
use crate::topic_settings::{self, KeyRuleDocument, SettingsDocument};
use crate::{EXIT_CANNOT_TELL, EXIT_WRONG_ARGUMENTS, client, host, output};

#[cfg(test)]
mod tests;

/// A topic in JSON.
#[derive(Debug, Serialize)]
struct TopicDocument<'a> {
    topic: u64,
    name: &'a str,
    revision: u32,
    partition_count: usize,
    placement: &'a [u16],
    idempotency: Option<KeyRuleDocument>,
}

/// A topic with its settings in JSON.
#[derive(Debug, Serialize)]
struct SetDocument<'a> {
    #[serde(flatten)]
    topic: TopicDocument<'a>,
    settings: SettingsDocument,
}

#[derive(Debug, Serialize)]
struct ListDocument<'a> {
    topics: Vec<TopicDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct DescribeDocument<'a> {
    #[serde(flatten)]
    topic: SetDocument<'a>,
    partitions: Vec<PartitionDocument>,
}

/// A partition in JSON: what its shard did not say is null.
#[derive(Debug, Serialize)]
pub struct PartitionDocument {
    partition: u32,
    shard: u16,
    code: u16,
    start_offset: Option<u64>,
    high_watermark: Option<u64>,
    record_count: Option<u64>,
    held_bytes: Option<u64>,
    stored_bytes: Option<u64>,
    producer_count: Option<u32>,
    last_append_time: Option<String>,
    cut_record_count: Option<u64>,
    cut_bytes: Option<u64>,
    cut_time: Option<String>,
    cut_reason: Option<&'static str>,
    stable_offset: Option<u64>,
    open_transaction_count: Option<u32>,
    oldest_transaction: Option<OldestDocument>,
}

/// The open transaction in a partition that began first, in JSON.
#[derive(Debug, Serialize)]
struct OldestDocument {
    producer_id: u64,
    producer_epoch: u16,
    first_offset: u64,
    since: String,
}

/// Does what is asked.
pub fn run(command: &TopicCommand) -> Result<ExitCode> {
    match command {
        TopicCommand::Create(arguments) => create(arguments),
        TopicCommand::Alter(arguments) => alter(arguments),
        TopicCommand::List(arguments) => list(arguments),
        TopicCommand::Describe(arguments) => describe(arguments),
        TopicCommand::Delete(arguments) => delete(arguments),
    }
}

fn create(arguments: &CreateArguments) -> Result<ExitCode> {
    let rule = match arguments.keys.rule() {
        Ok(rule) => rule,
        Err(problem) => {
            output::complain(&format!("no topic was made: {problem}"));
            return Ok(ExitCode::from(EXIT_WRONG_ARGUMENTS));
        }
    };
    let client = client::connect(&arguments.at)?;
    let settings = arguments.settings.change().apply_to(&TopicSettings::default());
    let created = match rule {
        None => client.create_topic(&arguments.name, arguments.partitions, settings),
        Some(rule) => client.create_keyed_topic(&arguments.name, arguments.partitions, settings, rule),
    };
    let topic = created.map_err(|error| not_created(error, arguments))?;
    if arguments.json {
        output::print_json(&set_document(&topic, &settings))?;
    } else {
        output::print(&format!("created {}\n{}", in_words(&topic), chosen_in_words(&topic, &settings)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn alter(arguments: &AlterArguments) -> Result<ExitCode> {
    let change = TopicChange { partition_count: arguments.partitions, ..arguments.settings.change() };
    if change == TopicChange::default() {
        output::complain("nothing was altered: say what, see `florin topic alter --help`");
        return Ok(ExitCode::from(EXIT_WRONG_ARGUMENTS));
    }
    let client = client::connect(&arguments.at)?;
    let before = client::topic(&client, &arguments.name, &arguments.at)?;
    let AlteredTopic { topic, settings } = client.alter_topic(before.id, change)?;
    if arguments.json {
        output::print_json(&set_document(&topic, &settings))?;
    } else {
        let done = if topic.revision == before.revision { "nothing to alter:" } else { "altered" };
        output::print(&format!("{done} {}\n{}", in_words(&topic), chosen_in_words(&topic, &settings)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn not_created(error: ClientError, CreateArguments { name, at, .. }: &CreateArguments) -> Error {
    match error {
        ClientError::Refused(refusal) if refusal.code == Code::NAME_TAKEN => anyhow!(
            "the server at {} has a topic {name} already, with id {} (code {}): `florin topic describe {name}` shows it; \
             choose another name for a new one",
            at.server,
            refusal.details[0],
            refusal.code.0
        ),
        other => other.into(),
    }
}

fn list(arguments: &ListArguments) -> Result<ExitCode> {
    let client = client::connect(&arguments.at)?;
    let topics = client.topics()?;
    if arguments.json {
        output::print_json(&ListDocument { topics: topics.iter().map(document).collect() })?;
    } else {
        output::print(&list_in_words(&topics))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(arguments: &DescribeArguments) -> Result<ExitCode> {
    let client = client::connect(&arguments.at)?;
    let described = client.describe_topic(client::topic(&client, &arguments.name, &arguments.at)?.id)?;
    if arguments.json {
        let partitions = described.partitions.iter().map(partition_document).collect();
        output::print_json(&DescribeDocument {
            topic: set_document(&described.topic, &described.settings),
            partitions,
        })?;
    } else {
        output::print(&describe_in_words(&described, host::realtime()))?;
    }
    let partitions = described.partitions;
    let silent_count = partitions.iter().filter(|partition| partition.code != 0).count();
    if silent_count > 0 {
        let partitions = counted(silent_count as u64, "partition", "partitions");
        output::complain(&format!("{partitions} could not be described: see `florin shard list`"));
        return Ok(ExitCode::from(EXIT_CANNOT_TELL));
    }
    Ok(ExitCode::SUCCESS)
}

fn delete(arguments: &DeleteArguments) -> Result<ExitCode> {
    let name = &arguments.name;
    ensure!(
        arguments.yes || io::stdin().is_terminal(),
        "nothing was deleted: only a terminal can be asked whether {name} shall go with everything in it; --yes deletes"
    );
    let client = client::connect(&arguments.at)?;
    let topic = client::topic(&client, name, &arguments.at)?;
    if !arguments.yes {
        output::ask(&question(&topic, &client.describe_topic(topic.id)?.partitions));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).context("the answer cannot be read")?;
        ensure!(answer.trim() == name, "nothing was deleted: the name was not typed");
    }
    client.delete_topic(topic.id)?;
    output::print(&format!("deleted topic {name} (id {})\n", topic.id))?;
    Ok(ExitCode::SUCCESS)
}

fn question(topic: &TopicDescription, partitions: &[PartitionDescription]) -> String {
    let record_count = partitions.iter().map(record_count).sum();
    let records = if record_count == 1 { "record" } else { "records" };
    let known = if partitions.iter().all(|partition| partition.code == 0) { "" } else { "at least " };
    format!(
        "topic {} holds {known}{} {records}; they cannot be brought back\ntype its name to delete it: ",
        topic.name,
        grouped(record_count)
    )
}

fn in_words(topic: &TopicDescription) -> String {
    let partitions = counted(topic.placement.len() as u64, "partition", "partitions");
    format!("topic {} (id {}) with {partitions}", topic.name, topic.id)
}

/// What was chosen for a topic, a line for each kind.
fn chosen_in_words(topic: &TopicDescription, settings: &TopicSettings) -> String {
    let rule = topic.keys.as_ref().map(|rule| format!("  {}\n", topic_settings::rule_in_words(rule)));
    format!("  {}\n{}", topic_settings::in_words(settings), rule.unwrap_or_default())
}

fn list_in_words(topics: &[TopicDescription]) -> String {
    if topics.is_empty() {
        return "no topics: `florin topic create NAME` makes one\n".to_owned();
    }
    let mut table = Table::new(&[("topic", Align::Left), ("id", Align::Right), ("partitions", Align::Right)]);
    for topic in topics {
        table.row(vec![topic.name.clone(), topic.id.to_string(), topic.placement.len().to_string()]);
    }
    let mut text = String::new();
    table.render(&mut text, 0);
    text
}

fn describe_in_words(described: &DescribedTopic, now: Realtime) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("partition", Right),
        ("shard", Right),
        ("start", Right),
        ("high watermark", Right),
        ("stable", Right),
        ("records", Right),
        ("in memory", Right),
        ("at rest", Right),
        ("producers", Right),
        ("last append", Left),
    ]);
    let partitions = &described.partitions;
    for partition in partitions {
        let place = [partition.index.to_string(), partition.shard.to_string()];
        let said = if partition.code == 0 {
            [
                partition.start_offset.to_string(),
                partition.high_watermark.to_string(),
                partition.stable_offset.to_string(),
                grouped(record_count(partition)),
                grouped(partition.held_bytes),
                grouped(partition.stored_bytes),
                partition.producer_count.to_string(),
                rfc3339_unless_never(Realtime(partition.last_append_time)).unwrap_or_else(|| "never".to_owned()),
            ]
        } else {
            let [unknown, why] = ["?".to_owned(), format!("not known: {}", client::code_name(partition.code))];
            let [a, b, c, d, e, f] = [(); 6].map(|()| unknown.clone());
            [a, b, c, d, e, f, unknown, why]
        };
        table.row(place.into_iter().chain(said).collect());
    }
    let (topic, chosen) = (&described.topic, chosen_in_words(&described.topic, &described.settings));
    let mut text = format!("{}, revision {}\n{chosen}", in_words(topic), topic.revision);
    table.render(&mut text, 2);
    let records = grouped(partitions.iter().map(record_count).sum());
    let held_bytes = partitions.iter().map(|partition| partition.held_bytes).sum();
    let stored_bytes = partitions.iter().map(|partition| partition.stored_bytes).sum();
    text += &cuts_in_words(partitions);
    partitions.iter().for_each(|partition| text += &open_in_words(&topic.name, partition, now));
    let _ = writeln!(
        text,
        "in all {records} records, {} in memory ({held_bytes} bytes), {} at rest ({stored_bytes} bytes)",
        Size(held_bytes).rounded(),
        Size(stored_bytes).rounded()
    );
    text
}

fn reason_name(reason: CutReason) -> &'static str {
    match reason {
        CutReason::Age => "age",
        CutReason::Size => "size",
    }
}

/// What retention has cut, partition by partition; nothing if it never did.
fn cuts_in_words(partitions: &[PartitionDescription]) -> String {
    let cut = partitions.iter().filter_map(|partition| partition.cut_reason.map(|reason| (partition, reason)));
    let mut text = String::new();
    for (partition, reason) in cut {
        let records = if partition.start_offset == 1 { "record" } else { "records" };
        let last = rfc3339_unless_never(Realtime(partition.cut_time)).unwrap_or_default();
        let _ = writeln!(
            text,
            "  partition {}: retention has cut {} {records}, {} bytes; last at {last}, by {}",
            partition.index,
            grouped(partition.start_offset),
            grouped(partition.cut_bytes),
            reason_name(reason)
        );
    }
    text
}

/// What holds readers of a partition back; nothing if nothing does.
pub fn open_in_words(topic: &str, partition: &PartitionDescription, now: Realtime) -> String {
    let Some(oldest) = partition.oldest_transaction else { return String::new() };
    let open_count = partition.open_transaction_count;
    format!(
        "  partition {}: {} open, the oldest of them {}, since {} ({}), from offset {} on: `florin txn list --partition \
         {topic}:{0}`\n",
        partition.index,
        if open_count == 1 { "1 transaction is".to_owned() } else { format!("{open_count} transactions are") },
        oldest.transaction,
        rfc3339(oldest.since),
        Span::between(oldest.since, now).rounded(),
        oldest.first_offset
    )
}

fn record_count(partition: &PartitionDescription) -> u64 {
    partition.high_watermark.saturating_sub(partition.start_offset)
}

fn document(topic: &TopicDescription) -> TopicDocument<'_> {
    let TopicDescription { id, name, revision, placement, keys } = topic;
    let idempotency = keys.as_ref().map(KeyRuleDocument::from);
    TopicDocument { topic: id.0, name, revision: *revision, partition_count: placement.len(), placement, idempotency }
}

fn set_document<'a>(topic: &'a TopicDescription, settings: &TopicSettings) -> SetDocument<'a> {
    SetDocument { topic: document(topic), settings: settings.into() }
}

/// A partition in JSON.
pub fn partition_document(partition: &PartitionDescription) -> PartitionDocument {
    let is_known = partition.code == 0;
    PartitionDocument {
        partition: partition.index,
        shard: partition.shard,
        code: partition.code,
        start_offset: is_known.then_some(partition.start_offset),
        high_watermark: is_known.then_some(partition.high_watermark),
        record_count: is_known.then_some(record_count(partition)),
        held_bytes: is_known.then_some(partition.held_bytes),
        stored_bytes: is_known.then_some(partition.stored_bytes),
        producer_count: is_known.then_some(partition.producer_count),
        last_append_time: rfc3339_unless_never(Realtime(partition.last_append_time)).filter(|_| is_known),
        cut_record_count: is_known.then_some(partition.start_offset),
        cut_bytes: is_known.then_some(partition.cut_bytes),
        cut_time: rfc3339_unless_never(Realtime(partition.cut_time)).filter(|_| is_known),
        cut_reason: partition.cut_reason.filter(|_| is_known).map(reason_name),
        stable_offset: is_known.then_some(partition.stable_offset),
        open_transaction_count: is_known.then_some(partition.open_transaction_count),
        oldest_transaction: partition.oldest_transaction.filter(|_| is_known).map(|oldest| OldestDocument {
            producer_id: oldest.transaction.producer.0,
            producer_epoch: oldest.transaction.epoch.0,
            first_offset: oldest.first_offset.0,
            since: rfc3339(oldest.since),
        }),
    }
}
