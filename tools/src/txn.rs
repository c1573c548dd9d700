//! `florin txn`: what transactional ids are doing, who holds back a partition, and the end of a transaction by hand.

mod document;
mod words;

use std::process::ExitCode;

use anyhow::{Context, Error, Result, anyhow, bail};
use florin_engine::format::control::Participant;
use florin_engine::model::PartitionId;
use florin_engine::transaction::coordinator_of;
use florin_net::client::{
    Client, ClientError, Ended, Listed, TransactionKey, TransactionOutcome, TransactionState, TransactionStatus,
    TransactionalId,
};
use florin_net::protocol::{Code, PartitionDescription};

use crate::cli::network::ServerArguments;
use crate::cli::transactions::{PartitionName, TxnAbortArguments, TxnCommand, TxnDescribeArguments, TxnListArguments};
use crate::{EXIT_CANNOT_TELL, client, host, output};
use document::{DescribeDocument, ListDocument};
use words::View;

#[cfg(test)]
mod tests;

/// What was asked for, in the order in which it is shown.
#[derive(Debug)]
struct Listing {
    statuses: Vec<TransactionStatus>,
    /// Who writes to more than is told of, so that it may hold back what was asked for.
    cannot_tell: Vec<TransactionalId>,
    held_back: Option<HeldBack>,
    /// The shards that did not say what they have.
    unanswered: Vec<(u16, ClientError)>,
}

/// A partition, and how far readers of what is committed come in it.
#[derive(Debug)]
struct HeldBack {
    topic: String,
    partition: PartitionDescription,
}

/// What is to be done about an open transaction.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Abort(TransactionKey),
    /// It is so already, in words.
    Nothing(String),
    /// It is not what was looked at, in words.
    Refuse(String),
}

/// Does what is asked.
pub fn run(command: &TxnCommand) -> Result<ExitCode> {
    match command {
        TxnCommand::List(arguments) => list(arguments),
        TxnCommand::Describe(arguments) => describe(arguments),
        TxnCommand::Abort(arguments) => abort(arguments),
    }
}

fn list(arguments: &TxnListArguments) -> Result<ExitCode> {
    let at = &arguments.list.at;
    let client = client::connect(at)?;
    let (participant, held_back) = match (&arguments.partition, &arguments.group) {
        (Some(partition), _) => {
            let (id, held_back) = held_back(&client, partition, at)?;
            (Some(Participant::Partition(id)), Some(held_back))
        }
        (None, Some(group)) => (Some(Participant::Group(group.clone())), None),
        (None, None) => (None, None),
    };
    let Listed { found, unanswered } = client.transactions()?;
    let listing = Listing::new(found, participant.as_ref(), held_back).without(unanswered);
    let names = client::topic_names(&client)?;
    let view = View { names: &names, now: host::realtime(), shard_count: client.server().shard_count };
    if arguments.list.json {
        output::print_json(&ListDocument::of(&listing, &view))?;
    } else {
        output::print(&words::listing(&listing, participant.is_some(), &view))?;
    }
    let is_whole = client::all_answered(&listing.unanswered);
    let code = listing.held_back.map_or(0, |held_back| held_back.partition.code);
    if code != 0 {
        let name = client::code_name(code);
        output::complain(&format!("how far the partition can be read is not known: {name}; see `florin shard list`"));
    }
    Ok(ExitCode::from(if is_whole && code == 0 { 0 } else { EXIT_CANNOT_TELL }))
}

/// The partition of this name, and how far it can be read.
fn held_back(client: &Client, name: &PartitionName, at: &ServerArguments) -> Result<(PartitionId, HeldBack)> {
    let topic = client::topic(client, &name.topic, at)?;
    client::check_partition(&topic, name.index)?;
    let described = client.describe_topic(topic.id)?;
    let partition = described.partitions.into_iter().find(|partition| partition.index == name.index);
    let partition = partition.with_context(|| {
        format!("the server at {} does not describe partition {} of topic {}", at.server, name.index, name.topic)
    })?;
    Ok((PartitionId { topic: topic.id, index: name.index }, HeldBack { topic: topic.name, partition }))
}

fn describe(arguments: &TxnDescribeArguments) -> Result<ExitCode> {
    let at = &arguments.list.at;
    let client = client::connect(at)?;
    let status = known(&client, &arguments.id, at)?;
    let names = client::topic_names(&client)?;
    let view = View { names: &names, now: host::realtime(), shard_count: client.server().shard_count };
    if arguments.list.json {
        output::print_json(&DescribeDocument::of(&status, &view))?;
    } else {
        output::print(&words::description(&status, &view))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn known(client: &Client, id: &TransactionalId, at: &ServerArguments) -> Result<TransactionStatus> {
    client.transaction(id)?.with_context(|| {
        format!(
            "the server at {} has no transactional id {id}: it was never opened there, or was idle for so long that it \
             was forgotten; `florin txn list` shows those it has",
            at.server
        )
    })
}

fn abort(arguments: &TxnAbortArguments) -> Result<ExitCode> {
    let client = client::connect(&arguments.at)?;
    let status = known(&client, &arguments.id, &arguments.at)?;
    let transaction = match plan(&status, arguments.transaction) {
        Plan::Abort(transaction) => transaction,
        Plan::Nothing(why) => {
            output::print(&format!("nothing to abort: {why}\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        Plan::Refuse(why) => {
            bail!("nothing was aborted: {why}; look with `florin txn describe {}`", arguments.id)
        }
    };
    let names = client::topic_names(&client)?;
    match client.abort_transaction(transaction) {
        Ok(()) => {
            let view = View { names: &names, now: host::realtime(), shard_count: client.server().shard_count };
            output::print(&words::aborted(&status, &view))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(ClientError::OutcomeUnknown { reason, .. }) => {
            output::complain(&format!(
                "whether transaction {transaction} of transactional id {0} is aborted is not known ({reason}): \
                 look with `florin txn describe {0}`, or abort it again with --transaction {transaction}",
                arguments.id
            ));
            Ok(ExitCode::from(EXIT_CANNOT_TELL))
        }
        Err(error) => Err(not_aborted(error, &arguments.id)),
    }
}

fn not_aborted(error: ClientError, id: &TransactionalId) -> Error {
    let over = [Code::TRANSACTION_COMMITTED, Code::TRANSACTION_FENCED, Code::UNKNOWN_TRANSACTION];
    match error {
        ClientError::Refused(refusal) if over.contains(&refusal.code) => anyhow!(
            "nothing was aborted, the transaction ended meanwhile: {}: `florin txn describe {id}` shows how it goes on",
            client::code_name(refusal.code.0)
        ),
        other => other.into(),
    }
}

/// What is to be done, if `asked` is the transaction that was looked at.
fn plan(status: &TransactionStatus, asked: Option<TransactionKey>) -> Plan {
    let (id, current) = (&status.name, status.current);
    let is_ongoing = status.state != TransactionState::Ready;
    let ended = asked.and_then(|asked| status.last.filter(|last| last.transaction == asked));
    match (asked, ended) {
        (Some(asked), _) if is_ongoing && asked != current => Plan::Refuse(format!(
            "transactional id {id} has transaction {current} open, not {asked}{}",
            ended.map_or(String::new(), |ended| format!(", which was {} before", ended.outcome.name()))
        )),
        (_, _) if is_ongoing => Plan::Abort(current),
        (Some(asked), Some(Ended { outcome: TransactionOutcome::Committed, .. })) => {
            Plan::Refuse(format!("transaction {asked} of transactional id {id} was committed"))
        }
        (Some(asked), Some(Ended { outcome: TransactionOutcome::Aborted, .. })) => {
            Plan::Nothing(format!("transaction {asked} of transactional id {id} was aborted before"))
        }
        (Some(asked), None) if asked != current => Plan::Refuse(format!(
            "transactional id {id} has no open transaction, and what became of {asked} is not known any more"
        )),
        _ => Plan::Nothing(format!("transactional id {id} has no open transaction; {}", words::last(status))),
    }
}

impl Listing {
    /// Those that hold back a participant, or all.
    fn new(all: Vec<TransactionStatus>, by: Option<&Participant>, held_back: Option<HeldBack>) -> Self {
        let partition = held_back.as_ref().map(|held_back| &held_back.partition);
        let oldest = partition.and_then(|partition| partition.oldest_transaction).map(|oldest| oldest.transaction);
        let (mut statuses, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|status| {
            by.is_none_or(|by| holds_back(status, by) || oldest.is_some_and(|key| has(status, key)))
        });
        let is_free = partition.is_some_and(|partition| partition.code == 0 && partition.open_transaction_count == 0);
        let untold = others.into_iter().filter(|status| !is_free && !is_told_in_full(status));
        let cannot_tell = untold.map(|status| status.name).collect();
        statuses.sort_by(|a, b| order(a).cmp(&order(b)));
        Self { statuses, cannot_tell, held_back, unanswered: Vec::new() }
    }

    /// Without what is on these shards.
    fn without(self, unanswered: Vec<(u16, ClientError)>) -> Self {
        Self { unanswered, ..self }
    }
}

/// Ongoing ones before others, the oldest first.
fn order(status: &TransactionStatus) -> (bool, u64, &TransactionalId) {
    match status.state {
        TransactionState::Ongoing { since } => (false, since.0, &status.name),
        TransactionState::Ready => (true, 0, &status.name),
    }
}

fn holds_back(status: &TransactionStatus, by: &Participant) -> bool {
    let writes = status.participants.iter().map(|(participant, _)| participant);
    let unnoted = status.unnoted.iter().map(|unnoted| &unnoted.participant);
    writes.chain(unnoted).any(|participant| participant == by)
}

/// Whether a transaction is the open one of a transactional id, or one of it whose end is not noted everywhere.
fn has(status: &TransactionStatus, transaction: TransactionKey) -> bool {
    let is_open = status.state != TransactionState::Ready && status.current == transaction;
    is_open || status.unnoted.iter().any(|unnoted| unnoted.transaction == transaction)
}

fn is_told_in_full(status: &TransactionStatus) -> bool {
    status.participants.len() == status.participant_count && status.unnoted.len() == status.unnoted_count
}

/// The shard that coordinates a transactional id.
fn shard_of(status: &TransactionStatus, shard_count: u16) -> u16 {
    coordinator_of(&status.name, shard_count).0
}
