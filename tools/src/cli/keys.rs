//! What is said of idempotency keys: the rule of a new topic, and which key is looked up.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use florin_engine::limits::{KEY_WINDOW_DAYS_MAX, KEY_WINDOW_DAYS_MIN};
use florin_net::client::{KeyRule, KeyRuleError, KeySource, Partitioner};

use super::network::ServerArguments;

/// How a topic knows two payments to be the same one.
#[derive(Clone, Debug, Args)]
pub struct KeyRuleArguments {
    /// Store each payment once, by this key: record-key, or header:NAME. Can be chosen only when the topic is made,
    /// and fixes the number of its partitions
    #[arg(long, value_name = "WHERE", value_parser = source)]
    pub idempotency_key: Option<KeySource>,
    /// For how many days after it was appended a payment is known by its key
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = days, requires = "idempotency_key")]
    pub idempotency_days: u16,
    /// A header that belongs to a payment's body beside its value: the same key with another body is a conflict;
    /// may be given several times
    #[arg(long, value_name = "NAME", requires = "idempotency_key")]
    pub idempotency_body_header: Vec<String>,
    /// How keys are spread over partitions: murmur2 as Kafka's Java client, crc32 as librdkafka
    #[arg(long, value_name = "NAME", default_value = "murmur2", value_parser = partitioner, requires = "idempotency_key")]
    pub partitioner: Partitioner,
}

impl KeyRuleArguments {
    /// The rule, if there is to be one.
    pub fn rule(&self) -> Result<Option<KeyRule>, KeyRuleError> {
        let Some(source) = self.idempotency_key.clone() else { return Ok(None) };
        let body_headers = self.idempotency_body_header.iter().map(|name| name.as_str().into()).collect();
        KeyRule::new(source, self.idempotency_days, body_headers, self.partitioner).map(Some)
    }
}

/// What is done with idempotency keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Say where the payment with an idempotency key is stored
    ///
    /// The receipt is known for the topic's window, also if the record itself is gone already by the topic's retention.
    ///
    /// Exit code 0: it is stored, and this is its receipt. 1: nothing is stored under this key within the topic's
    /// window. 2: it cannot be told.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  florin key get payments 8c1f7e2a\n  florin key get payments jB9+Kg== --base64 --json"
    )]
    Get(KeyGetArguments),
}

/// What `key get` is told.
#[derive(Clone, Debug, Args)]
pub struct KeyGetArguments {
    /// The topic's name.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub topic: String,
    /// The key.
    pub key: String,
    /// The key is written in base64, with padding
    #[arg(long)]
    pub base64: bool,
    /// Where.
    #[command(flatten)]
    pub at: ServerArguments,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

fn source(text: &str) -> Result<KeySource, String> {
    match (text, text.split_once(':')) {
        ("record-key", _) => Ok(KeySource::RecordKey),
        (_, Some(("header", name))) if !name.is_empty() => Ok(KeySource::Header(name.into())),
        _ => Err("write record-key, or header:NAME".to_owned()),
    }
}

fn days(text: &str) -> Result<u16, String> {
    let days = text.parse().ok().filter(|days| (KEY_WINDOW_DAYS_MIN..=KEY_WINDOW_DAYS_MAX).contains(days));
    days.ok_or_else(|| format!("write a number of days from {KEY_WINDOW_DAYS_MIN} to {KEY_WINDOW_DAYS_MAX}"))
}

fn partitioner(text: &str) -> Result<Partitioner, String> {
    let known = Partitioner::ALL.into_iter().find(|partitioner| partitioner.name() == text);
    known.ok_or_else(|| format!("write {}", Partitioner::ALL.map(Partitioner::name).join(" or ")))
}
