//! The settings of a topic in words and in JSON.

use std::time::Duration;

use florin_engine::catalogue::TopicSettings;
use serde::Serialize;

use crate::duration::Span;
use crate::size::Size;

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
