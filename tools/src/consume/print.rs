//! One record as one line: columns for people and `cut`, or a JSON object.

use florin_engine::model::Realtime;
use serde::Serialize;

use crate::base64;
use crate::time::rfc3339;

#[cfg(test)]
mod tests;

/// A record as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown<'a> {
    /// Index of its partition.
    pub partition: u32,
    /// Its offset there.
    pub offset: u64,
    /// When the server appended its batch.
    pub append_time: Realtime,
    /// Its own time, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers, in their order.
    pub headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

/// Text, or bytes in base64: one of both is there.
#[derive(Debug)]
struct Content<'a> {
    text: Option<Option<&'a str>>,
    base64: Option<String>,
}

/// A record as JSON.
#[derive(Debug, Serialize)]
pub struct JsonRecord<'a> {
    partition: u32,
    offset: u64,
    append_time: String,
    timestamp_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    headers: Vec<JsonHeader<'a>>,
}

#[derive(Debug, Serialize)]
struct JsonHeader<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

impl Shown<'_> {
    /// Appends partition, offset, append time, key and value with tabs between them, and the end of the line.
    pub fn put_plain(&self, out: &mut Vec<u8>) {
        let head = format!("{}\t{}\t{}\t", self.partition, self.offset, rfc3339(self.append_time));
        out.extend_from_slice(head.as_bytes());
        put_escaped(out, self.key);
        out.push(b'\t');
        put_escaped(out, self.value);
        out.push(b'\n');
    }

    /// Appends one JSON object and the end of the line.
    pub fn put_json(&self, out: &mut Vec<u8>) {
        let record = self.json();
        serde_json::to_writer(&mut *out, &record).expect("numbers and texts are always JSON, and memory takes them");
        out.push(b'\n');
    }

    /// The record as JSON.
    pub fn json(&self) -> JsonRecord<'_> {
        let (key, value) = (content(self.key), content(self.value));
        JsonRecord {
            partition: self.partition,
            offset: self.offset,
            append_time: rfc3339(self.append_time),
            timestamp_ms: self.timestamp_ms,
            key: key.text,
            key_base64: key.base64,
            value: value.text,
            value_base64: value.base64,
            headers: self.headers.iter().map(|(name, value)| header(name, *value)).collect(),
        }
    }
}

fn content(bytes: Option<&[u8]>) -> Content<'_> {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => Content { text: Some(None), base64: None },
        Some((_, Ok(text))) => Content { text: Some(Some(text)), base64: None },
        Some((bytes, Err(_))) => Content { text: None, base64: Some(base64::encode(bytes)) },
    }
}

fn header<'a>(name: &'a [u8], value: Option<&'a [u8]>) -> JsonHeader<'a> {
    let (name, value) = (content(Some(name)), content(value));
    JsonHeader { name: name.text, name_base64: name.base64, value: value.text, value_base64: value.base64 }
}

/// Text as it is; `\N` for nothing; a backslash before what would be taken for the end of a column or line, for an
/// escape, or moves a terminal; `\xNN` for a byte that is part of no UTF-8.
pub fn put_escaped(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return out.extend_from_slice(b"\\N") };
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => out.extend_from_slice(b"\\\\"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                control if control.is_control() => {
                    let mut encoded = [0; 4];
                    control.encode_utf8(&mut encoded).bytes().for_each(|byte| put_byte(out, byte));
                }
                plain => out.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        chunk.invalid().iter().for_each(|byte| put_byte(out, *byte));
    }
}

fn put_byte(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
}
