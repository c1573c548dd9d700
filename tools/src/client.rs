//! The connection of a command to its server, and what is said when the server says no.

use std::collections::BTreeMap;

use anyhow::{Error, Result, anyhow, ensure};
use florin_engine::model::TopicId;
use florin_engine::shard::Action;
use florin_net::client::{Client, ClientError, ClientSettings};
use florin_net::protocol::{Code, TopicDescription, code_row};

use crate::cli::network::ServerArguments;
use crate::output;

#[cfg(test)]
mod tests;

/// Connects.
pub fn connect(at: &ServerArguments) -> Result<Client> {
    let mut settings = ClientSettings::new(at.server.as_str());
    settings.name = format!("florin/{}", env!("CARGO_PKG_VERSION"));
    Client::connect(settings).map_err(|error| not_connected(error, at))
}

fn not_connected(error: ClientError, at: &ServerArguments) -> Error {
    let cannot = format!("the server at {} cannot be asked", at.server);
    match error {
        ClientError::Connect { reason, .. } => {
            let reason = without_address(&reason, &at.server);
            anyhow!(
                "{cannot}: {reason}; start one with `florin serve`, or say with --server or FLORIN_SERVER where it is"
            )
        }
        ClientError::Protocol { reason, .. } => anyhow!(
            "{cannot}: it is no Florin that this program understands: {reason}; say with --server or FLORIN_SERVER \
             which port is a shard's"
        ),
        other => other.into(),
    }
}

/// A reason that is told beside the address and need not repeat it.
fn without_address(reason: &str, address: &str) -> String {
    match reason.strip_prefix(address) {
        Some(rest) if rest.starts_with(": ") => rest[2..].to_owned(),
        Some(rest) if rest.starts_with(' ') => format!("it{rest}"),
        _ => reason.to_owned(),
    }
}

/// The topic of this name.
pub fn topic(client: &Client, name: &str, at: &ServerArguments) -> Result<TopicDescription> {
    client.topic(name).map_err(|error| match error {
        ClientError::Refused(refusal) if refusal.code == Code::UNKNOWN_TOPIC => anyhow!(
            "the server at {} has no topic {name} (code {}): `florin topic list` shows those it has, \
             `florin topic create {name}` makes it",
            at.server,
            refusal.code.0
        ),
        other => other.into(),
    })
}

/// The names of topics by their ids.
pub type TopicNames = BTreeMap<TopicId, String>;

/// The names of all topics.
pub fn topic_names(client: &Client) -> Result<TopicNames> {
    Ok(client.topics()?.into_iter().map(|topic| (topic.id, topic.name)).collect())
}

/// Refuses a partition that the topic does not have.
pub fn check_partition(topic: &TopicDescription, partition: u32) -> Result<()> {
    let count = topic.placement.len();
    let exists = usize::try_from(partition).is_ok_and(|index| index < count);
    ensure!(exists, "topic {} has no partition {partition}: it has {count}, from 0", topic.name);
    Ok(())
}

/// Whether all shards said what they have; complains of each one that did not.
pub fn all_answered(unanswered: &[(u16, ClientError)]) -> bool {
    for (shard, error) in unanswered {
        output::complain(&format!("what shard {shard} has is not shown ({error}); see `florin shard list`"));
    }
    unanswered.is_empty()
}

/// The numbers of the shards that did not answer.
pub fn shards(unanswered: &[(u16, ClientError)]) -> Vec<u16> {
    unanswered.iter().map(|(shard, _)| *shard).collect()
}

/// Whether the command may have done what it was asked to do or not.
pub fn is_unknown(error: &Error) -> bool {
    matches!(error.downcast_ref(), Some(ClientError::OutcomeUnknown { .. }))
}

/// What to do about a refusal, in a sentence without an end.
pub fn advice(action: Action) -> &'static str {
    match action {
        Action::Retry => "try again later",
        Action::Refresh => "look with `florin topic list` for what is there, and try again",
        Action::Fenced => "another producer took over: stop this one",
        Action::FixRequest => "trying again does not help: correct what was asked for",
        Action::Fatal => "nothing that a client does helps: ask the operator of the server",
        Action::AbortTransaction => "begin another transaction with everything that was in this one",
        Action::OutcomeUnknown => "read what is stored before trying again",
    }
}

/// A code with its name: `journal_full (5)`.
pub fn code_name(code: u16) -> String {
    match code_row(Code(code)) {
        Some(row) => format!("{} ({code})", row.name),
        None => format!("code {code}"),
    }
}
