//! Commands that ask a running server: where it is, its topics and its shards.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use florin_engine::limits::TOPIC_PARTITION_COUNT_MAX;

use super::number;

/// Where the server is.
#[derive(Clone, Debug, Args)]
pub struct ServerArguments {
    /// The server: the port of any of its shards.
    #[arg(long, value_name = "HOST:PORT", env = "FLORIN_SERVER", default_value = "127.0.0.1:7878")]
    #[arg(value_parser = server_address)]
    pub server: String,
}

/// What is done with topics.
#[derive(Debug, Subcommand)]
pub enum TopicCommand {
    /// Create a topic
    ///
    /// The partitions are spread over the shards, and their number is fixed for ever: the records of one key are in
    /// one partition, in their order.
    #[command(verbatim_doc_comment, after_help = "Example:\n  florin topic create payments --partitions 32")]
    Create(CreateArguments),
    /// List all topics.
    List(ListArguments),
    /// Describe a topic, partition by partition
    ///
    /// A shard that could not answer is shown with its code and gives exit code 2: its partitions are not known.
    #[command(verbatim_doc_comment, after_help = "Example:\n  florin topic describe payments --json")]
    Describe(DescribeArguments),
    /// Delete a topic with everything in it
    ///
    /// On a terminal the name has to be typed once more; elsewhere only --yes deletes.
    #[command(verbatim_doc_comment, after_help = "Example:\n  florin topic delete payments --yes")]
    Delete(DeleteArguments),
}

/// What `topic create` is told.
#[derive(Clone, Debug, Args)]
pub struct CreateArguments {
    /// Its name: letters, digits, `.`, `_` and `-`.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Its partitions, fixed for ever.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = partition_count)]
    pub partitions: u32,
    /// Where.
    #[command(flatten)]
    pub at: ServerArguments,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What a list is told.
#[derive(Clone, Debug, Args)]
pub struct ListArguments {
    /// Where.
    #[command(flatten)]
    pub at: ServerArguments,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What `topic describe` is told.
#[derive(Clone, Debug, Args)]
pub struct DescribeArguments {
    /// Its name.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Where.
    #[command(flatten)]
    pub at: ServerArguments,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What `topic delete` is told.
#[derive(Clone, Debug, Args)]
pub struct DeleteArguments {
    /// Its name.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Delete without asking.
    #[arg(long)]
    pub yes: bool,
    /// Where.
    #[command(flatten)]
    pub at: ServerArguments,
}

/// What is done with shards.
#[derive(Debug, Subcommand)]
pub enum ShardCommand {
    /// Show how each shard is doing, and what is wrong with those that do not serve.
    List(ListArguments),
}

/// What is done about the clock.
#[derive(Debug, Subcommand)]
pub enum ClockCommand {
    /// Say that the wall clock is right although it jumped
    ///
    /// A shard whose wall clock jumped by more than an hour forgets no idle producer until somebody who has looked at
    /// the clock says that it is right. Without --shard it is said to every shard that waits for it.
    #[command(verbatim_doc_comment, after_help = "Example:\n  florin clock confirm --shard 0")]
    Confirm(ConfirmArguments),
}

/// What `clock confirm` is told.
#[derive(Clone, Debug, Args)]
pub struct ConfirmArguments {
    /// Only this shard, whether it waits for it or not.
    #[arg(long, value_name = "N", value_parser = number::<u16>)]
    pub shard: Option<u16>,
    /// Where.
    #[command(flatten)]
    pub at: ServerArguments,
}

fn partition_count(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=TOPIC_PARTITION_COUNT_MAX).contains(count));
    count.ok_or_else(|| format!("write a number from 1 to {TOPIC_PARTITION_COUNT_MAX}"))
}

/// A host and a port; the host itself is looked up when it is connected to.
fn server_address(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').ok_or("write HOST:PORT, such as 127.0.0.1:7878")?;
    let is_bare_v6 = host.contains(':') && !host.starts_with('[');
    if host.is_empty() || is_bare_v6 || !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Err("write HOST:PORT, such as 127.0.0.1:7878 or [::1]:7878".to_owned());
    }
    Ok(text.to_owned())
}
