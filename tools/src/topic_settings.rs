//! The settings of a topic and its rule of idempotency keys, in words and in JSON.

use std::time::Duration;

use florin_engine::catalogue::TopicSettings;
use florin_net::client::{KeyRule, KeySource};
use serde::Serialize;

use crate::duration::Span;
use crate::size::{Size, counted};

#[cfg(test)]
mod tests;

/// Settings in JSON: a retention of null keeps everything.
#[derive(Debug, Serialize)]
pub struct SettingsDocument {
    retention_bytes: Option<u64>,
    retention_ns: Option<u64>,
    segment_bytes: u64,
    record_bytes_max: u32,
}

impl From<&TopicSettings> for SettingsDocument {
    fn from(settings: &TopicSettings) -> Self {
        let TopicSettings { retention_bytes, retention_ns, segment_bytes, record_bytes_max } = *settings;
        Self { retention_bytes, retention_ns, segment_bytes, record_bytes_max }
    }
}

/// The rule of idempotency keys in JSON.
#[derive(Debug, Serialize)]
pub struct KeyRuleDocument {
    key: String,
    days: u16,
    body_headers: Vec<String>,
    partitioner: &'static str,
}

impl From<&KeyRule> for KeyRuleDocument {
    fn from(rule: &KeyRule) -> Self {
        let key = match rule.source() {
            KeySource::RecordKey => "record-key".to_owned(),
            KeySource::Header(name) => format!("header:{name}"),
        };
        let body_headers = rule.body_headers().iter().map(ToString::to_string).collect();
        Self { key, days: rule.window_days(), body_headers, partitioner: rule.partitioner().name() }
    }
}

impl KeyRuleDocument {
    /// Where keys are and for how long they are known.
    pub fn in_short(&self) -> String {
        format!("{}, {}", self.key, counted(self.days.into(), "day", "days"))
    }
}

/// The rule of idempotency keys in one line.
pub fn rule_in_words(rule: &KeyRule) -> String {
    let days = counted(rule.window_days().into(), "day", "days");
    let body = match rule.body_headers() {
        [] => "its value".to_owned(),
        headers => format!("its value and its headers {}", headers.join(", ")),
    };
    let (source, partitioner) = (rule.source(), rule.partitioner().name());
    format!("stores each payment once: known by {source} for {days}, its body is {body}; partitions by {partitioner}")
}

/// Settings in one line.
pub fn in_words(settings: &TopicSettings) -> String {
    let kept_for = settings.retention_ns.map(|ns| Span(Duration::from_nanos(ns)));
    let kept = match (kept_for, settings.retention_bytes.map(Size)) {
        (None, None) => "keeps everything".to_owned(),
        (Some(span), None) => format!("keeps a record for {span}"),
        (None, Some(size)) => format!("keeps {size} of each partition"),
        (Some(span), Some(size)) => {
            format!("keeps a record for {span} and {size} of each partition, whichever is less")
        }
    };
    let (segment, record) = (Size(settings.segment_bytes), Size(settings.record_bytes_max.into()));
    format!("{kept}; segments of {segment}; records of {record} at most")
}
