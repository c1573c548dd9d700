//! Commands that ask a running server: where it is, its topics and its shards.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use florin_engine::catalogue::{Setting, TopicChange};
use florin_engine::limits::TOPIC_PARTITION_COUNT_MAX;

use super::keys::KeyRuleArguments;
use super::number;
use crate::duration::Span;
use crate::size::Size;

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
    /// The partitions are spread over the shards: the records of one key are in one partition, in their order. More of
    /// them can be added later, but then keys change their partition (see `topic alter`), so make enough now. A topic
    /// with idempotency keys keeps its number for ever.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  florin topic create payments --partitions 32\n  florin topic create clicks --retention 7d --retention-bytes 10GiB\n  florin topic create intents --partitions 32 --idempotency-key header:payment-id --idempotency-days 90"
    )]
    Create(CreateArguments),
    /// Change the settings of a topic, or add partitions
    ///
    /// What is not given stays as it is. The topic is served all the time; the change is in force when the command ends.
    #[command(verbatim_doc_comment, after_help = ALTER_HELP)]
    Alter(AlterArguments),
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

const ALTER_HELP: &str = "\
Adding partitions breaks the order of keys. A key's partition follows from their number, so most keys go to another
partition from then on. What is stored is not moved: records of a key from before the change and from behind it are in
two partitions, and nothing says which came first. Producers change over one by one, within about a minute. Where the
order of a key matters, stop the producers, wait until everything is consumed, add the partitions, and go on.
A topic with idempotency keys keeps its partitions: there a payment that is sent again would not be recognised.

Examples:
  florin topic alter payments --retention forever
  florin topic alter clicks --retention 12h --record-bytes-max 64KiB
  florin topic alter clicks --partitions 64";

/// What can be chosen for a topic.
#[derive(Clone, Debug, Args)]
pub struct SettingsArguments {
    /// How long a record is kept after it was appended: 7d, 12h, or forever; a new topic keeps everything
    #[arg(long, value_name = "DURATION", value_parser = retention)]
    pub retention: Option<Kept>,
    /// Size of a partition above which its oldest records go, whole runs at a time, or forever; a new topic
    /// keeps everything
    #[arg(long, value_name = "SIZE", value_parser = retention_bytes)]
    pub retention_bytes: Option<Kept>,
    /// Size at which a segment file of one partition is sealed; a new topic has 256MiB
    #[arg(long, value_name = "SIZE", value_parser = segment_bytes)]
    pub segment_bytes: Option<u64>,
    /// The largest record that is taken, as it stands in its batch; a compressed batch counts as one; a new
    /// topic takes 1MiB
    #[arg(long, value_name = "SIZE", value_parser = record_bytes_max)]
    pub record_bytes_max: Option<u32>,
}

/// How much or how long is kept; none: everything, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept(pub Option<u64>);

impl SettingsArguments {
    /// What is given, as a change of what there is.
    pub fn change(&self) -> TopicChange {
        TopicChange {
            retention_bytes: self.retention_bytes.map(|kept| kept.0),
            retention_ns: self.retention.map(|kept| kept.0),
            segment_bytes: self.segment_bytes,
            record_bytes_max: self.record_bytes_max,
            partition_count: None,
        }
    }
}

/// What `topic create` is told.
#[derive(Clone, Debug, Args)]
pub struct CreateArguments {
    /// Its name: letters, digits, `.`, `_` and `-`.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Its partitions.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = partition_count)]
    pub partitions: u32,
    /// What is chosen for it.
    #[command(flatten)]
    pub settings: SettingsArguments,
    /// How it knows two payments to be the same one.
    #[command(flatten)]
    pub keys: KeyRuleArguments,
    /// Where.
    #[command(flatten)]
    pub at: ServerArguments,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What `topic alter` is told.
#[derive(Clone, Debug, Args)]
pub struct AlterArguments {
    /// Its name.
    pub name: String,
    /// How many partitions it is to have: as many as it has, or more. Breaks the order of keys, see below.
    #[arg(long, value_name = "N", value_parser = partition_count)]
    pub partitions: Option<u32>,
    /// What is chosen for it.
    #[command(flatten)]
    pub settings: SettingsArguments,
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

fn retention(text: &str) -> Result<Kept, String> {
    let nanoseconds = |text: &str| {
        let span = text.parse::<Span>().map_err(|problem| format!("{problem}, or forever"))?;
        u64::try_from(span.0.as_nanos()).map_err(|_| format!("{text:?} is more than 584 years: write forever"))
    };
    kept(text, Setting::RetentionNs, nanoseconds)
}

fn retention_bytes(text: &str) -> Result<Kept, String> {
    let bytes =
        |text: &str| text.parse::<Size>().map(|size| size.0).map_err(|problem| format!("{problem}, or forever"));
    kept(text, Setting::RetentionBytes, bytes)
}

fn kept(text: &str, setting: Setting, read: impl Fn(&str) -> Result<u64, String>) -> Result<Kept, String> {
    if text == "forever" {
        return Ok(Kept(None));
    }
    let number = read(text)?;
    if setting.bounds().contains(&number) {
        Ok(Kept(Some(number)))
    } else {
        Err("keeping nothing is not possible: write forever to keep everything".to_owned())
    }
}

fn segment_bytes(text: &str) -> Result<u64, String> {
    bounded(text, Setting::SegmentBytes)
}

fn record_bytes_max(text: &str) -> Result<u32, String> {
    bounded(text, Setting::RecordBytesMax).map(|bytes| u32::try_from(bytes).expect("its bounds are lower"))
}

fn bounded(text: &str, setting: Setting) -> Result<u64, String> {
    let (least, most) = setting.bounds().into_inner();
    let bytes = text.parse::<Size>()?.0;
    let (low, high) = (Size(least), Size(most));
    if (least..=most).contains(&bytes) { Ok(bytes) } else { Err(format!("write a size from {low} to {high}")) }
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
