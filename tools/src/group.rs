//! `florin group`: how far consumer groups have come.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Error, Result, anyhow};
use florin_engine::group::GroupOffsets;
use florin_engine::model::{Realtime, TopicId};
use florin_net::client::{Client, ClientError, DescribedTopic, GroupId, GroupOffset, Listed};
use florin_net::protocol::{Code, PartitionDescription};
use serde::Serialize;

use crate::cli::network::{ListArguments, ServerArguments};
use crate::cli::transactions::{GroupCommand, GroupForgetArguments, GroupOffsetsArguments};
use crate::size::{counted, grouped};
use crate::table::{Align, Table};
use crate::time::rfc3339;
use crate::{EXIT_CANNOT_TELL, client, output};

#[cfg(test)]
mod tests;

/// Topics that there are, of those that a group read.
type Topics = BTreeMap<TopicId, DescribedTopic>;

/// How far a group has come in a partition, and how far that can be read.
#[derive(Debug)]
struct Progress {
    committed: GroupOffset,
    time: Realtime,
    topic_name: Option<String>,
    /// None if the topic, or the partition, is gone.
    partition: Option<PartitionDescription>,
}

#[derive(Debug, Serialize)]
struct ListDocument<'a> {
    groups: Vec<GroupDocument<'a>>,
    unanswered_shards: Vec<u16>,
}

/// A group in JSON.
#[derive(Debug, Serialize)]
struct GroupDocument<'a> {
    group: &'a str,
    shard: u16,
}

/// A group with its offsets in JSON.
#[derive(Debug, Serialize)]
struct OffsetsDocument<'a> {
    #[serde(flatten)]
    group: GroupDocument<'a>,
    offsets: Vec<OffsetDocument<'a>>,
}

/// How far a group has come in a partition, in JSON: what is gone or not known is null.
#[derive(Debug, Serialize)]
struct OffsetDocument<'a> {
    topic: u64,
    topic_name: Option<&'a str>,
    partition: u32,
    offset: u64,
    metadata: &'a str,
    committed: String,
    code: u16,
    stable_offset: Option<u64>,
    lag: Option<u64>,
}

/// Does what is asked.
pub fn run(command: &GroupCommand) -> Result<ExitCode> {
    match command {
        GroupCommand::List(arguments) => list(arguments),
        GroupCommand::Offsets(arguments) => offsets(arguments),
        GroupCommand::Forget(arguments) => forget(arguments),
    }
}

fn list(arguments: &ListArguments) -> Result<ExitCode> {
    let client = client::connect(&arguments.at)?;
    let Listed { found: groups, unanswered } = client.groups()?;
    let shard_count = client.server().shard_count;
    if arguments.json {
        output::print_json(&ListDocument {
            groups: groups.iter().map(|group| document(group, shard_count)).collect(),
            unanswered_shards: client::shards(&unanswered),
        })?;
    } else {
        output::print(&list_in_words(&groups, shard_count))?;
    }
    Ok(ExitCode::from(if client::all_answered(&unanswered) { 0 } else { EXIT_CANNOT_TELL }))
}

fn offsets(arguments: &GroupOffsetsArguments) -> Result<ExitCode> {
    let (group, at) = (&arguments.group, &arguments.list.at);
    let client = client::connect(at)?;
    let committed = client.offsets(group).map_err(|error| in_words(error, group, at))?;
    let topics = topics(&client, &committed)?;
    let progress: Vec<_> = committed.into_iter().map(|(offset, time)| Progress::of(offset, time, &topics)).collect();
    if arguments.list.json {
        let group = document(group, client.server().shard_count);
        output::print_json(&OffsetsDocument { group, offsets: progress.iter().map(Progress::document).collect() })?;
    } else {
        output::print(&offsets_in_words(group, &progress))?;
    }
    let silent_count = progress.iter().filter(|progress| progress.code() != 0).count();
    if silent_count > 0 {
        let partitions = counted(silent_count as u64, "partition", "partitions");
        output::complain(&format!("how far {partitions} can be read is not known: see `florin shard list`"));
        return Ok(ExitCode::from(EXIT_CANNOT_TELL));
    }
    Ok(ExitCode::SUCCESS)
}

fn forget(arguments: &GroupForgetArguments) -> Result<ExitCode> {
    let GroupForgetArguments { group, at } = arguments;
    let client = client::connect(at)?;
    client.forget_group(group).map_err(|error| in_words(error, group, at))?;
    output::print(&format!("forgot group {group} with all its offsets\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Why nothing is told of a group, or done about it.
fn in_words(error: ClientError, group: &GroupId, at: &ServerArguments) -> Error {
    match error {
        ClientError::Refused(refusal) if refusal.code == Code::UNKNOWN_GROUP => anyhow!(
            "the server at {} has no group {group} (code {}), no offset was committed for it: `florin group list` shows \
             those it has",
            at.server,
            refusal.code.0
        ),
        ClientError::Refused(refusal) if refusal.code == Code::OFFSETS_UNDECIDED => anyhow!(
            "a transaction with offsets of group {group} is open still (code {}): `florin txn list --group {group}` says \
             which; wait for its end, or abort it",
            refusal.code.0
        ),
        other => other.into(),
    }
}

/// The topics of these offsets, as far as they are there still.
fn topics(client: &Client, committed: &[(GroupOffset, Realtime)]) -> Result<Topics> {
    let names = client::topic_names(client)?;
    let mut topics = Topics::new();
    for id in committed.iter().map(|(offset, _)| offset.partition.topic) {
        if topics.contains_key(&id) || !names.contains_key(&id) {
            continue;
        }
        match client.describe_topic(id) {
            Ok(described) => {
                topics.insert(id, described);
            }
            // It was deleted since.
            Err(ClientError::Refused(refusal)) if refusal.code == Code::UNKNOWN_TOPIC => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(topics)
}

impl Progress {
    fn of(committed: GroupOffset, time: Realtime, topics: &Topics) -> Self {
        let topic = topics.get(&committed.partition.topic);
        let index = committed.partition.index;
        let partition = topic.and_then(|topic| topic.partitions.iter().find(|known| known.index == index).copied());
        Self { committed, time, topic_name: topic.map(|topic| topic.topic.name.clone()), partition }
    }

    /// 0, or why the partition's shard did not say how far it can be read.
    fn code(&self) -> u16 {
        self.partition.map_or(0, |partition| partition.code)
    }

    fn stable_offset(&self) -> Option<u64> {
        self.partition.filter(|partition| partition.code == 0).map(|partition| partition.stable_offset)
    }

    /// What is committed and the group has not come to.
    fn lag(&self) -> Option<u64> {
        self.stable_offset().map(|stable| stable.saturating_sub(self.committed.offset.0))
    }

    fn document(&self) -> OffsetDocument<'_> {
        OffsetDocument {
            topic: self.committed.partition.topic.0,
            topic_name: self.topic_name.as_deref(),
            partition: self.committed.partition.index,
            offset: self.committed.offset.0,
            metadata: &self.committed.metadata,
            committed: rfc3339(self.time),
            code: self.code(),
            stable_offset: self.stable_offset(),
            lag: self.lag(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let GroupOffset { partition, offset, metadata } = &self.committed;
        let topic = self.topic_name.clone().unwrap_or_else(|| format!("id {}, which is gone", partition.topic));
        let lag = match (self.partition, self.lag()) {
            (_, Some(lag)) => grouped(lag),
            (Some(_), None) => "?".to_owned(),
            (None, None) => "-".to_owned(),
        };
        let not_known = match self.code() {
            0 => String::new(),
            code => format!("not known: {} ", client::code_name(code)),
        };
        // What clients note may hold anything that moves a terminal.
        let noted = format!("{not_known}{}", metadata.escape_debug());
        vec![topic, partition.index.to_string(), offset.to_string(), lag, rfc3339(self.time), noted]
    }
}

fn document(group: &GroupId, shard_count: u16) -> GroupDocument<'_> {
    GroupDocument { group: group.as_str(), shard: GroupOffsets::shard_of(group, shard_count).0 }
}

fn list_in_words(groups: &[GroupId], shard_count: u16) -> String {
    if groups.is_empty() {
        return "no groups: a group is there from the first offset on that is committed for it\n".to_owned();
    }
    let mut table = Table::new(&[("group", Align::Left), ("shard", Align::Right)]);
    for group in groups {
        table.row(vec![group.to_string(), document(group, shard_count).shard.to_string()]);
    }
    let mut text = String::new();
    table.render(&mut text, 0);
    text
}

fn offsets_in_words(group: &GroupId, progress: &[Progress]) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("topic", Left),
        ("partition", Right),
        ("committed", Right),
        ("lag", Right),
        ("when", Left),
        ("metadata", Left),
    ]);
    progress.iter().for_each(|progress| table.row(progress.cells()));
    let partitions = counted(progress.len() as u64, "partition", "partitions");
    let lag = grouped(progress.iter().filter_map(Progress::lag).sum());
    let mut text = format!("group {group} in {partitions}, in all {lag} behind\n");
    table.render(&mut text, 2);
    text
}
