//! Reading and writing the fields of a head: bounded, little-endian, nothing left over.

use bytes::{Buf, BufMut, BytesMut};
use florin_engine::format::control::KeyRuleError;
use florin_engine::model::NameError;
use thiserror::Error;

/// Why a head cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FieldError {
    /// It ends within a field.
    #[error("the head ends within its field {field}")]
    CutOff {
        /// The field.
        field: &'static str,
    },
    /// A value that the field does not take.
    #[error("{value} is no value of the field {field}")]
    Value {
        /// The field.
        field: &'static str,
        /// What was found.
        value: u64,
    },
    /// A text that is not UTF-8.
    #[error("the field {field} is not UTF-8")]
    Text {
        /// The field.
        field: &'static str,
    },
    /// A name that cannot be one of a transactional id or a group.
    #[error("{0}")]
    Name(NameError),
    /// A rule of idempotency keys that cannot be.
    #[error("{0}")]
    KeyRule(KeyRuleError),
    /// Bytes behind the last field.
    #[error("{bytes} bytes behind the last field of the head")]
    LeftOver {
        /// How many.
        bytes: usize,
    },
    /// A payload where there must be none, or none where there must be one.
    #[error("the payload has {bytes} bytes, which this api does not take")]
    Payload {
        /// How many.
        bytes: usize,
    },
}

/// Reads fields one after the other.
pub(super) struct FieldReader<'a> {
    rest: &'a [u8],
}

impl<'a> FieldReader<'a> {
    pub(super) fn new(head: &'a [u8]) -> Self {
        Self { rest: head }
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, FieldError> {
        self.rest.try_get_u8().map_err(|_| FieldError::CutOff { field })
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, FieldError> {
        self.rest.try_get_u16_le().map_err(|_| FieldError::CutOff { field })
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, FieldError> {
        self.rest.try_get_u32_le().map_err(|_| FieldError::CutOff { field })
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, FieldError> {
        self.rest.try_get_u64_le().map_err(|_| FieldError::CutOff { field })
    }

    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, FieldError> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(FieldError::Value { field, value: u64::from(value) }),
        }
    }

    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FieldError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(FieldError::CutOff { field })?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A u16 with the number of bytes, then so many bytes of UTF-8; more than `bytes_max` are refused.
    pub(super) fn text(&mut self, field: &'static str, bytes_max: usize) -> Result<&'a str, FieldError> {
        let bytes = self.u16(field)?;
        if usize::from(bytes) > bytes_max {
            return Err(FieldError::Value { field, value: u64::from(bytes) });
        }
        let (text, rest) = self.rest.split_at_checked(usize::from(bytes)).ok_or(FieldError::CutOff { field })?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| FieldError::Text { field })
    }

    /// A number of items, each of which takes at least `item_bytes_min`: never more than there can be.
    pub(super) fn count(
        &mut self,
        field: &'static str,
        count_max: usize,
        item_bytes_min: usize,
    ) -> Result<usize, FieldError> {
        let value = self.u32(field)?;
        match usize::try_from(value) {
            Ok(count) if count <= count_max => {
                if count.saturating_mul(item_bytes_min) > self.rest.len() {
                    return Err(FieldError::CutOff { field });
                }
                Ok(count)
            }
            _ => Err(FieldError::Value { field, value: u64::from(value) }),
        }
    }

    /// A u32 with the number of bytes, then so many bytes.
    pub(super) fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], FieldError> {
        let count = self.count(field, u32::MAX as usize, 1)?;
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }

    /// Whether these bytes are next.
    pub(super) fn starts_with(&self, bytes: &[u8]) -> bool {
        self.rest.starts_with(bytes)
    }

    pub(super) fn end(self) -> Result<(), FieldError> {
        if self.rest.is_empty() { Ok(()) } else { Err(FieldError::LeftOver { bytes: self.rest.len() }) }
    }
}

/// Appends a text of at most `u16::MAX` bytes behind its length.
///
/// # Panics
/// If it is longer: the caller's broken invariant.
pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    out.put_u16_le(u16::try_from(text.len()).expect("texts in heads are short"));
    out.put_slice(text.as_bytes());
}

/// Appends a number of items.
///
/// # Panics
/// If it does not fit: the caller's broken invariant.
pub(super) fn put_count(out: &mut BytesMut, count: usize) {
    out.put_u32_le(u32::try_from(count).expect("counts in heads are small"));
}

/// The longest beginning of `text` that has at most `bytes_max` bytes and ends between characters.
pub(super) fn cut_text(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}
