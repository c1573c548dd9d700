//! Commands about transactions and consumer groups.

use clap::{Args, Subcommand};
use florin_engine::model::{ProducerEpoch, ProducerId};
use florin_net::client::{GroupId, TransactionKey, TransactionalId};

use super::network::{ListArguments, ServerArguments};

/// What is done with transactional ids and their transactions.
#[derive(Debug, Subcommand)]
pub enum TxnCommand {
    /// List transactional ids: those with an open transaction first, the oldest of them on top
    ///
    /// With --partition only those that hold that partition back: whoever reads what is committed reads no further there
    /// than to the first record of a transaction that is open, or whose end the partition has not noted yet. It is also
    /// said how far that is, and since when.
    ///
    /// Exit code 0: shown. 1: failed. 2: a shard did not say what it has, or the partition's how far it is.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  florin txn list\n  florin txn list --partition payments:3\n  florin txn list --group ledger --json"
    )]
    List(TxnListArguments),
    /// Describe a transactional id: its transaction, what that writes to, and who has not noted the end of an earlier one
    #[command(after_help = "Example:\n  florin txn describe ledger-writer-7 --json")]
    Describe(TxnDescribeArguments),
    /// Abort the open transaction of a transactional id
    ///
    /// Nothing of it counts then, whoever has it is told so with its next request, and readers go on. A transaction that
    /// takes longer than its time-out is aborted without this. With --transaction only that one is aborted: the one that
    /// was looked at, and none that began meanwhile.
    ///
    /// Exit code 0: it is aborted, or nothing was open. 1: refused or failed. 2: it may be aborted or not.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  florin txn abort ledger-writer-7\n  florin txn abort ledger-writer-7 --transaction 281474976710656:42"
    )]
    Abort(TxnAbortArguments),
}

/// What `txn list` is told.
#[derive(Clone, Debug, Args)]
pub struct TxnListArguments {
    /// Only those that hold this partition back.
    #[arg(long, value_name = "TOPIC:INDEX", value_parser = partition)]
    pub partition: Option<PartitionName>,
    /// Only those that hold the offsets of this consumer group back.
    #[arg(long, value_name = "GROUP", value_parser = group, conflicts_with = "partition")]
    pub group: Option<GroupId>,
    /// Where and how.
    #[command(flatten)]
    pub list: ListArguments,
}

/// What `txn describe` is told.
#[derive(Clone, Debug, Args)]
pub struct TxnDescribeArguments {
    /// The transactional id.
    #[arg(value_name = "ID", value_parser = transactional_id)]
    pub id: TransactionalId,
    /// Where and how.
    #[command(flatten)]
    pub list: ListArguments,
}

/// What `txn abort` is told.
#[derive(Clone, Debug, Args)]
pub struct TxnAbortArguments {
    /// The transactional id.
    #[arg(value_name = "ID", value_parser = transactional_id)]
    pub id: TransactionalId,
    /// Only this transaction, as `florin txn list` names it.
    #[arg(long, value_name = "PRODUCER:EPOCH", value_parser = transaction)]
    pub transaction: Option<TransactionKey>,
    /// Where.
    #[command(flatten)]
    pub at: ServerArguments,
}

/// A partition as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionName {
    /// The topic's name.
    pub topic: String,
    /// The partition's index in it.
    pub index: u32,
}

/// What is done with consumer groups.
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// List the consumer groups for which an offset was committed.
    List(ListArguments),
    /// Show how far a group has come in each partition, and how far it lags behind
    ///
    /// The lag is what stands between the committed offset and the one up to which every transaction is decided. While a
    /// transaction with offsets of the group is open, it is waited for.
    ///
    /// Exit code 0: shown. 1: the group is not known, or it failed. 2: a shard did not say how far a partition is.
    #[command(verbatim_doc_comment, after_help = "Example:\n  florin group offsets ledger --json")]
    Offsets(GroupOffsetsArguments),
    /// Forget a group with all its offsets: it begins anew, wherever its consumers do
    #[command(after_help = "Example:\n  florin group forget ledger")]
    Forget(GroupForgetArguments),
}

/// What `group offsets` is told.
#[derive(Clone, Debug, Args)]
pub struct GroupOffsetsArguments {
    /// The group.
    #[arg(value_parser = group)]
    pub group: GroupId,
    /// Where and how.
    #[command(flatten)]
    pub list: ListArguments,
}

/// What `group forget` is told.
#[derive(Clone, Debug, Args)]
pub struct GroupForgetArguments {
    /// The group.
    #[arg(value_parser = group)]
    pub group: GroupId,
    /// Where.
    #[command(flatten)]
    pub at: ServerArguments,
}

fn transactional_id(text: &str) -> Result<TransactionalId, String> {
    TransactionalId::new(text).map_err(|error| error.to_string())
}

fn group(text: &str) -> Result<GroupId, String> {
    GroupId::new(text).map_err(|error| error.to_string())
}

fn transaction(text: &str) -> Result<TransactionKey, String> {
    let key = text.split_once(':').and_then(|(producer, epoch)| {
        Some(TransactionKey { producer: ProducerId(producer.parse().ok()?), epoch: ProducerEpoch(epoch.parse().ok()?) })
    });
    key.ok_or_else(|| "write PRODUCER:EPOCH as `florin txn list` shows it, such as 281474976710656:42".to_owned())
}

fn partition(text: &str) -> Result<PartitionName, String> {
    let name = text
        .rsplit_once(':')
        .filter(|(topic, _)| !topic.is_empty())
        .and_then(|(topic, index)| Some(PartitionName { topic: topic.to_owned(), index: index.parse().ok()? }));
    name.ok_or_else(|| "write TOPIC:INDEX, such as payments:3".to_owned())
}
