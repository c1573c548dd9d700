//! What makes two payments of a topic the same one: where their idempotency key is, for how long it is remembered, and what
//! belongs to their body.
//!
//! | at | field |
//! | --- | --- |
//! | 0 | source u8: 1 the record's key, 2 a header |
//! | 1 | partitioner u8: 1 murmur2, 2 crc32 |
//! | 2 | window days u16, `KEY_WINDOW_DAYS_MIN` to `KEY_WINDOW_DAYS_MAX` |
//! | 4 | bytes of the source header's name u8; 0 if the source is the record's key |
//! | 5 | body header count u8, up to `KEY_BODY_HEADERS_MAX` |
//! | 6 | the source header's name, then each body header: bytes u8, name |

use std::fmt;

use bytes::{Buf, BufMut};
use thiserror::Error;

use super::Partitioner;
use crate::limits::{KEY_BODY_HEADERS_MAX, KEY_HEADER_BYTES_MAX, KEY_WINDOW_DAYS_MAX, KEY_WINDOW_DAYS_MIN};

/// Nanoseconds of a day.
const DAY_NS: u64 = 24 * 3_600 * 1_000_000_000;

/// Where the key of a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// It is the record's key.
    RecordKey,
    /// It is the value of the header of this name.
    Header(Box<str>),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordKey => f.write_str("the record's key"),
            Self::Header(name) => write!(f, "header {name:?}"),
        }
    }
}

/// The rule of a topic. Always within the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRule {
    source: KeySource,
    window_days: u16,
    body_headers: Box<[Box<str>]>,
    partitioner: Partitioner,
}

/// Why a rule cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyRuleError {
    /// A window that is too short or too long.
    #[error("keys remembered for {0} days: choose from {KEY_WINDOW_DAYS_MIN} to {KEY_WINDOW_DAYS_MAX}")]
    Window(u16),
    /// A header without a name, or with one that is too long.
    #[error("the name of a header has {0} bytes: choose one of 1 to {KEY_HEADER_BYTES_MAX}")]
    HeaderName(usize),
    /// Too many headers that belong to the body.
    #[error("{0} headers belong to the body: choose at most {KEY_BODY_HEADERS_MAX}")]
    BodyHeaders(usize),
    /// A header of the body is named twice, or holds the key already: its place among those of the body, from 0.
    #[error("body header {0} is named before: name each header once")]
    Twice(usize),
    /// The bytes end within the rule, go on behind it, or name nothing that there is.
    #[error("bytes that are no rule of keys")]
    Bytes,
}

impl KeyRule {
    /// A rule. `body_headers` belong to a record's body beside its value, in this order.
    pub fn new(
        source: KeySource,
        window_days: u16,
        body_headers: Vec<Box<str>>,
        partitioner: Partitioner,
    ) -> Result<Self, KeyRuleError> {
        if !(KEY_WINDOW_DAYS_MIN..=KEY_WINDOW_DAYS_MAX).contains(&window_days) {
            return Err(KeyRuleError::Window(window_days));
        }
        if body_headers.len() > KEY_BODY_HEADERS_MAX {
            return Err(KeyRuleError::BodyHeaders(body_headers.len()));
        }
        let of_key = match &source {
            KeySource::RecordKey => None,
            KeySource::Header(name) => Some(name),
        };
        let names: Vec<&str> = of_key.into_iter().chain(&body_headers).map(|name| &**name).collect();
        if let Some(name) = names.iter().find(|name| !(1..=KEY_HEADER_BYTES_MAX).contains(&name.len())) {
            return Err(KeyRuleError::HeaderName(name.len()));
        }
        let before = names.len() - body_headers.len();
        if let Some(at) = (0..names.len()).find(|at| names[..*at].contains(&names[*at])) {
            return Err(KeyRuleError::Twice(at - before));
        }
        Ok(Self { source, window_days, body_headers: body_headers.into(), partitioner })
    }

    /// Where the key of a record is.
    pub fn source(&self) -> &KeySource {
        &self.source
    }

    /// For how many days after its append time a key is remembered.
    pub fn window_days(&self) -> u16 {
        self.window_days
    }

    /// The same in nanoseconds.
    pub fn window_ns(&self) -> u64 {
        u64::from(self.window_days) * DAY_NS
    }

    /// Headers that belong to a record's body beside its value.
    pub fn body_headers(&self) -> &[Box<str>] {
        &self.body_headers
    }

    /// How keys are spread over partitions.
    pub fn partitioner(&self) -> Partitioner {
        self.partitioner
    }

    /// Length of what [`KeyRule::put`] writes.
    pub fn encoded_bytes(&self) -> usize {
        let source = match &self.source {
            KeySource::RecordKey => 0,
            KeySource::Header(name) => name.len(),
        };
        6 + source + self.body_headers.iter().map(|name| 1 + name.len()).sum::<usize>()
    }

    /// Writes the rule.
    pub fn put(&self, out: &mut impl BufMut) {
        let (source, name) = match &self.source {
            KeySource::RecordKey => (1, ""),
            KeySource::Header(name) => (2, &**name),
        };
        let short = |count: usize| u8::try_from(count).expect("checked when it was made");
        out.put_u8(source);
        out.put_u8(self.partitioner as u8);
        out.put_u16_le(self.window_days);
        out.put_u8(short(name.len()));
        out.put_u8(short(self.body_headers.len()));
        out.put_slice(name.as_bytes());
        for header in &self.body_headers {
            out.put_u8(short(header.len()));
            out.put_slice(header.as_bytes());
        }
    }

    /// Reads a rule that is all of `bytes`.
    pub fn get(mut bytes: &[u8]) -> Result<Self, KeyRuleError> {
        let cut = |_| KeyRuleError::Bytes;
        let source = bytes.try_get_u8().map_err(cut)?;
        let partitioner = bytes.try_get_u8().map_err(cut)?;
        let window_days = bytes.try_get_u16_le().map_err(cut)?;
        let name_bytes = usize::from(bytes.try_get_u8().map_err(cut)?);
        let header_count = bytes.try_get_u8().map_err(cut)?;
        let source = match (source, name(&mut bytes, name_bytes)?) {
            (1, name) if name.is_empty() => KeySource::RecordKey,
            (2, name) => KeySource::Header(name),
            _ => return Err(KeyRuleError::Bytes),
        };
        let mut body_headers = Vec::new();
        for _ in 0..header_count {
            let header_bytes = usize::from(bytes.try_get_u8().map_err(cut)?);
            body_headers.push(name(&mut bytes, header_bytes)?);
        }
        let partitioner = Partitioner::of_number(partitioner).ok_or(KeyRuleError::Bytes)?;
        if bytes.is_empty() {
            Self::new(source, window_days, body_headers, partitioner)
        } else {
            Err(KeyRuleError::Bytes)
        }
    }
}

fn name(bytes: &mut &[u8], count: usize) -> Result<Box<str>, KeyRuleError> {
    let (name, rest) = bytes.split_at_checked(count).ok_or(KeyRuleError::Bytes)?;
    *bytes = rest;
    Ok(str::from_utf8(name).map_err(|_| KeyRuleError::Bytes)?.into())
}

#[cfg(test)]
mod tests;
