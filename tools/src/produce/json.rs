//! One record from one line of JSON.

use std::fmt;

use bytes::Bytes;
use florin_net::client::Record;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::base64;

#[cfg(test)]
mod tests;

type Header = (Bytes, Option<Bytes>);

/// The fields of a record. What `florin consume --format json` writes can be read, so `offset` and `append_time`,
/// which the server gives, are passed over. Any other name is a mistake that must not lose data silently.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    partition: Option<u32>,
    #[serde(borrow, default)]
    key: Option<&'a RawValue>,
    key_base64: Option<String>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    value_base64: Option<String>,
    #[serde(default, deserialize_with = "headers")]
    headers: Vec<Header>,
    timestamp_ms: Option<i64>,
    #[serde(rename = "offset")]
    _offset: Option<IgnoredAny>,
    #[serde(rename = "append_time")]
    _append_time: Option<IgnoredAny>,
}

/// A header in a list, as `florin consume` writes it: names may repeat and need not be text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedHeader<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    name_base64: Option<String>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    value_base64: Option<String>,
}

/// Reads an object with `key`, `value`, `headers`, `partition` and `timestamp_ms`, each of which may be missing.
///
/// A string is the bytes of its UTF-8, null is nothing, and any other JSON is kept as the text that it is.
/// `key_base64` and `value_base64` stand for bytes.
///
/// # Errors
/// If the line is no such object; the words continue "line 7 ...".
pub fn parse(line: &[u8]) -> Result<Record, String> {
    let text = std::str::from_utf8(line).map_err(|error| format!("is not UTF-8 from byte {}", error.valid_up_to()))?;
    let line: Line<'_> = serde_json::from_str(text).map_err(|error| format!("is no record: {}", placed(&error)))?;
    Ok(Record {
        partition: line.partition,
        key: either("key", line.key, line.key_base64)?,
        value: either("value", line.value, line.value_base64)?,
        headers: line.headers,
        timestamp_ms: line.timestamp_ms,
    })
}

/// The message of an error: its line is always 1, which would be taken for the line of the input.
fn placed(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match message.strip_suffix(&place) {
        Some(message) => format!("{message} (column {})", error.column()),
        None => message,
    }
}

fn either(name: &str, json: Option<&RawValue>, base64: Option<String>) -> Result<Option<Bytes>, String> {
    match (json, base64) {
        (None, None) => Ok(None),
        (Some(json), None) => content(json).map(Some),
        (None, Some(text)) => match base64::decode(&text) {
            Some(bytes) => Ok(Some(bytes.into())),
            None => Err(format!("has a {name}_base64 that is no base64")),
        },
        (Some(_), Some(_)) => Err(format!("has both {name} and {name}_base64: give one")),
    }
}

/// The bytes that a JSON value stands for.
fn content(json: &RawValue) -> Result<Bytes, String> {
    let text = json.get();
    if text.starts_with('"') {
        let string: String = serde_json::from_str(text).map_err(|error| format!("is no record: {}", placed(&error)))?;
        return Ok(Bytes::from(string));
    }
    Ok(Bytes::copy_from_slice(text.as_bytes()))
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Header>, D::Error> {
    deserializer.deserialize_any(Headers)
}

/// Headers as an object, name to value, or as a list.
struct Headers;

impl<'de> Visitor<'de> for Headers {
    type Value = Vec<Header>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers: an object, or a list of objects with name and value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<Header>, E> {
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Header>, A::Error> {
        let mut headers = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Option<&RawValue>>()? {
            let value = either("value", value, None).map_err(de::Error::custom)?;
            headers.push((Bytes::from(name), value));
        }
        Ok(headers)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Header>, A::Error> {
        let mut headers = Vec::new();
        while let Some(header) = list.next_element::<ListedHeader<'de>>()? {
            let name = either("name", header.name, header.name_base64).map_err(de::Error::custom)?;
            let name = name.ok_or_else(|| de::Error::custom("a header has no name"))?;
            headers.push((name, either("value", header.value, header.value_base64).map_err(de::Error::custom)?));
        }
        Ok(headers)
    }
}
