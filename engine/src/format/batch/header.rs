//! The 61 bytes before the records.

use std::mem::{offset_of, size_of};

use zerocopy::byteorder::big_endian::{I16, I32, I64, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::error::BatchError;
use super::producer_stamp::ProducerStamp;
use crate::model::{Offset, ProducerEpoch, ProducerId, TransactionKey};

/// Size of the header.
pub const HEADER_BYTES: usize = 61;
/// The only record format that is stored.
pub const MAGIC: u8 = 2;
/// The leader epoch in every placed batch: there is one leader, always.
pub const LEADER_EPOCH: i32 = 0;

/// Bytes that the length field does not count: the base offset and the field itself.
const LENGTH_START: usize = 12;
/// First byte that the checksum covers.
pub(super) const CRC_START: usize = 21;

const COMPRESSION_MASK: u16 = 0x0007;
const LOG_APPEND_TIME_BIT: u16 = 1 << 3;
pub(super) const TRANSACTIONAL_BIT: u16 = 1 << 4;
pub(super) const CONTROL_BIT: u16 = 1 << 5;
const DELETE_HORIZON_BIT: u16 = 1 << 6;
const KNOWN_BITS: u16 = 0x007f;
/// Producer id, epoch and first sequence of a batch that nobody stamped.
const STAMP_NONE: (i64, i16, i32) = (-1, -1, -1);

/// A view of a batch's header; fields as in Kafka's documentation, big-endian.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct BatchHeader {
    base_offset: I64,
    batch_length: I32,
    partition_leader_epoch: I32,
    magic: u8,
    crc: U32,
    attributes: I16,
    last_offset_delta: I32,
    base_timestamp: I64,
    max_timestamp: I64,
    producer_id: I64,
    producer_epoch: I16,
    base_sequence: I32,
    record_count: I32,
}

const _: () = assert!(size_of::<BatchHeader>() == HEADER_BYTES);
const _: () = assert!(offset_of!(BatchHeader, base_offset) == 0);
const _: () = assert!(offset_of!(BatchHeader, batch_length) == 8);
const _: () = assert!(offset_of!(BatchHeader, partition_leader_epoch) == LENGTH_START);
const _: () = assert!(offset_of!(BatchHeader, magic) == 16);
const _: () = assert!(offset_of!(BatchHeader, crc) == 17);
const _: () = assert!(offset_of!(BatchHeader, attributes) == CRC_START);
const _: () = assert!(offset_of!(BatchHeader, last_offset_delta) == 23);
const _: () = assert!(offset_of!(BatchHeader, base_timestamp) == 27);
const _: () = assert!(offset_of!(BatchHeader, max_timestamp) == 35);
const _: () = assert!(offset_of!(BatchHeader, producer_id) == 43);
const _: () = assert!(offset_of!(BatchHeader, producer_epoch) == 51);
const _: () = assert!(offset_of!(BatchHeader, base_sequence) == 53);
const _: () = assert!(offset_of!(BatchHeader, record_count) == 57);

/// How the records of a batch are compressed; Florin stores them as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Snappy, in Xerial's framing.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// The compression with this number in the attributes, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// What a builder knows of a batch whose records are written.
pub(super) struct BatchFields {
    pub(super) attributes: u16,
    pub(super) record_bytes: i32,
    pub(super) record_count: i32,
    pub(super) base_timestamp_ms: i64,
    pub(super) max_timestamp_ms: i64,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) base_sequence: i32,
}

impl BatchHeader {
    /// The header at the start of `bytes`, which may go on behind it. Only the magic is checked.
    ///
    /// # Errors
    /// If there are too few bytes, or the magic is another.
    pub fn read(bytes: &[u8]) -> Result<&Self, BatchError> {
        let Ok((header, _records)) = Self::ref_from_prefix(bytes) else {
            return Err(BatchError::Short { bytes: bytes.len() });
        };
        if header.magic != MAGIC { Err(BatchError::Magic { magic: header.magic }) } else { Ok(header) }
    }

    /// The header of a batch that was validated before.
    pub(super) fn of_placed(batch: &mut [u8]) -> &mut Self {
        let bytes = batch.len();
        let Ok((header, _records)) = Self::mut_from_prefix(batch) else {
            panic!("a validated batch has {bytes} bytes, less than a header");
        };
        assert_eq!(header.magic, MAGIC, "a validated batch has magic {MAGIC}");
        header
    }

    /// Uncompressed, without a place, the checksum still to be filled in.
    pub(super) fn build(fields: &BatchFields) -> Self {
        assert!(fields.record_count > 0, "a batch has at least one record");
        Self {
            base_offset: I64::new(0),
            batch_length: I32::new(fields.record_bytes + BATCH_LENGTH_MIN),
            partition_leader_epoch: I32::new(LEADER_EPOCH),
            magic: MAGIC,
            crc: U32::new(0),
            attributes: I16::new(fields.attributes.cast_signed()),
            last_offset_delta: I32::new(fields.record_count - 1),
            base_timestamp: I64::new(fields.base_timestamp_ms),
            max_timestamp: I64::new(fields.max_timestamp_ms),
            producer_id: I64::new(fields.producer_id),
            producer_epoch: I16::new(fields.producer_epoch),
            base_sequence: I32::new(fields.base_sequence),
            record_count: I32::new(fields.record_count),
        }
    }

    pub(super) fn place(&mut self, base_offset: Offset) {
        let Ok(base_offset) = i64::try_from(base_offset.0) else {
            panic!("offset {base_offset} is above what a batch can hold");
        };
        self.base_offset = I64::new(base_offset);
        self.partition_leader_epoch = I32::new(LEADER_EPOCH);
    }

    pub(super) fn seal(&mut self, crc: u32) {
        self.crc = U32::new(crc);
    }

    /// Bytes of the whole batch by its length field, header included.
    ///
    /// # Errors
    /// If the field is less than a header has.
    pub fn size_bytes(&self) -> Result<usize, BatchError> {
        let batch_length = self.batch_length.get();
        match usize::try_from(batch_length) {
            Ok(bytes) if batch_length >= BATCH_LENGTH_MIN => Ok(bytes + LENGTH_START),
            _ => Err(BatchError::LengthField { batch_length }),
        }
    }

    /// The offset of the first record; meaningful once the batch was placed.
    ///
    /// # Errors
    /// If it is negative.
    pub fn base_offset(&self) -> Result<Offset, BatchError> {
        let base_offset = self.base_offset.get();
        u64::try_from(base_offset).map(Offset).map_err(|_| BatchError::BaseOffset { base_offset })
    }

    /// The leader epoch, as found.
    pub fn leader_epoch(&self) -> i32 {
        self.partition_leader_epoch.get()
    }

    /// The CRC-32C of everything from the attributes to the end, as found.
    pub fn crc(&self) -> u32 {
        self.crc.get()
    }

    /// The time to which the records' timestamps are relative, in Unix milliseconds.
    pub fn base_timestamp_ms(&self) -> i64 {
        self.base_timestamp.get()
    }

    /// The latest timestamp of a record, in Unix milliseconds, as found.
    pub fn max_timestamp_ms(&self) -> i64 {
        self.max_timestamp.get()
    }

    /// The attribute bits, as found.
    pub fn attributes(&self) -> u16 {
        u16::from_be_bytes(self.attributes.to_bytes())
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL_BIT != 0
    }

    /// Whether a server wrote the batch, to say how a transaction ended: it holds no record of a client.
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL_BIT != 0
    }

    /// The transaction that the batch belongs to, if it belongs to one.
    pub fn transaction(&self) -> Option<TransactionKey> {
        let (id, epoch, _) = self.stamp_fields();
        let producer = u64::try_from(id).map(ProducerId).ok().filter(|_| self.is_transactional())?;
        u16::try_from(epoch).ok().map(|epoch| TransactionKey { producer, epoch: ProducerEpoch(epoch) })
    }

    /// Producer id, epoch and first sequence, as found.
    pub(super) fn stamp_fields(&self) -> (i64, i16, i32) {
        (self.producer_id.get(), self.producer_epoch.get(), self.base_sequence.get())
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// If the attributes name no known compression.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        let [code, _] = (self.attributes() & COMPRESSION_MASK).to_le_bytes();
        Compression::from_code(code).ok_or(BatchError::CompressionUnknown { code })
    }

    /// The compression, of a batch whose attributes hold nothing that a client must not set.
    pub(super) fn client_compression(&self) -> Result<Compression, BatchError> {
        let attributes = self.attributes();
        if attributes & !KNOWN_BITS != 0 {
            return Err(BatchError::Attributes { attributes });
        }
        if attributes & CONTROL_BIT != 0 {
            return Err(BatchError::Control);
        }
        if self.is_transactional() && self.stamp_fields() == STAMP_NONE {
            return Err(BatchError::Transactional);
        }
        if attributes & LOG_APPEND_TIME_BIT != 0 {
            return Err(BatchError::LogAppendTime);
        }
        if attributes & DELETE_HORIZON_BIT != 0 {
            return Err(BatchError::DeleteHorizon);
        }
        self.compression()
    }

    /// Records in the batch: at least 1, and one more than the last offset delta.
    ///
    /// # Errors
    /// If the fields are not so.
    pub fn record_count(&self) -> Result<u32, BatchError> {
        let record_count = self.record_count.get();
        let last_offset_delta = self.last_offset_delta.get();
        match u32::try_from(record_count) {
            Ok(count) if count >= 1 => {
                if last_offset_delta == record_count - 1 {
                    Ok(count)
                } else {
                    Err(BatchError::LastOffsetDelta { last_offset_delta, record_count })
                }
            }
            _ => Err(BatchError::RecordCount { record_count }),
        }
    }

    /// The producer's stamp: none if id, epoch and sequence all are -1.
    pub(super) fn producer_stamp(&self, record_count: u32) -> Result<Option<ProducerStamp>, BatchError> {
        let (id, epoch, base_sequence) = self.stamp_fields();
        if (id, epoch, base_sequence) == STAMP_NONE {
            return Ok(None);
        }
        match (u64::try_from(id), u16::try_from(epoch), u32::try_from(base_sequence)) {
            (Ok(id), Ok(epoch), Ok(base_sequence)) => {
                Ok(Some(ProducerStamp::new(ProducerId(id), ProducerEpoch(epoch), base_sequence, record_count)))
            }
            _ => Err(BatchError::Producer { id, epoch, base_sequence }),
        }
    }
}

/// The length field of a batch without records.
const BATCH_LENGTH_MIN: i32 = 49;
const _: () = assert!(BATCH_LENGTH_MIN as usize + LENGTH_START == HEADER_BYTES);
