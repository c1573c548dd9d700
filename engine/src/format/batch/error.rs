//! What can be wrong with a batch, in words that say what to do.

use thiserror::Error;

use super::header::HEADER_BYTES;

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// Less than a header.
    #[error("batch of {bytes} bytes is shorter than its {HEADER_BYTES}-byte header: send a whole batch")]
    Short {
        /// Bytes there are.
        bytes: usize,
    },
    /// More bytes than allowed.
    #[error("batch of {bytes} bytes is above the limit of {bytes_max}: send fewer or smaller records per batch")]
    TooLarge {
        /// Bytes of the batch.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The length field is less than a header has.
    #[error("batchLength {batch_length} at byte 8 is less than a header: send a batch built by a v2 encoder")]
    LengthField {
        /// The field as found.
        batch_length: i32,
    },
    /// The length field and the bytes disagree: cut off, or more than one batch.
    #[error(
        "batchLength at byte 8 says {batch_bytes} bytes in all but there are {found_bytes}: send exactly one batch"
    )]
    Length {
        /// Bytes of the batch by its header.
        batch_bytes: usize,
        /// Bytes there are.
        found_bytes: usize,
    },
    /// Another record format.
    #[error("magic {magic} at byte 16: only record batches of magic 2 are stored, use a client of Kafka 0.11 or later")]
    Magic {
        /// The byte as found.
        magic: u8,
    },
    /// The bytes are not those the client built.
    #[error(
        "CRC-32C at byte 17 is {claimed:#010x} but the bytes give {computed:#010x}: damaged on the way, send again"
    )]
    Checksum {
        /// The field as found.
        claimed: u32,
        /// Over the bytes from the attributes to the end.
        computed: u32,
    },
    /// Attribute bits that have no meaning.
    #[error("attributes {attributes:#06x} at byte 21 have bits that are not known: use bits 0 to 3 only")]
    Attributes {
        /// The field as found.
        attributes: u16,
    },
    /// A compression that does not exist.
    #[error(
        "compression {code} in the attributes at byte 21 is not known: use 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd"
    )]
    CompressionUnknown {
        /// Bits 0 to 2.
        code: u8,
    },
    /// Log append time is for brokers to set.
    #[error(
        "timestamp type log-append (bit 3 at byte 21) is not for clients: send create time; append time is kept apart"
    )]
    LogAppendTime,
    /// A transaction is a producer's.
    #[error("transactional batch (bit 4 at byte 21) without a producer: stamp it, or send it without a transaction")]
    Transactional,
    /// Control batches are written by servers only.
    #[error("control batch (bit 5 at byte 21): clients must not send control records")]
    Control,
    /// A control batch that does not say how a transaction ended.
    #[error("a control batch that is no end of a transaction: {what}")]
    Marker {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The delete horizon is set by a broker's compaction only.
    #[error("delete horizon (bit 6 at byte 21) is not for clients: clear it")]
    DeleteHorizon,
    /// No records, or a negative number.
    #[error("recordCount {record_count} at byte 57: a batch has at least one record")]
    RecordCount {
        /// The field as found.
        record_count: i32,
    },
    /// More records than allowed.
    #[error("batch of {record_count} records is above the limit of {record_count_max}: send fewer records per batch")]
    TooManyRecords {
        /// Records of the batch.
        record_count: u32,
        /// The limit.
        record_count_max: u32,
    },
    /// The count and the last offset delta disagree.
    #[error("lastOffsetDelta {last_offset_delta} at byte 23 does not fit recordCount {record_count}: it is one less")]
    LastOffsetDelta {
        /// The field as found.
        last_offset_delta: i32,
        /// The records by the header.
        record_count: i32,
    },
    /// Producer id, epoch and sequence are neither all absent nor all there.
    #[error(
        "producerId {id}, producerEpoch {epoch} and baseSequence {base_sequence} (byte 43): all are -1, or none is negative"
    )]
    Producer {
        /// The field at byte 43.
        id: i64,
        /// The field at byte 51.
        epoch: i16,
        /// The field at byte 53.
        base_sequence: i32,
    },
    /// The base offset of a batch that should have been placed is negative.
    #[error("baseOffset {base_offset} at byte 0 is negative: the batch was never given a place, or it is damaged")]
    BaseOffset {
        /// The field as found.
        base_offset: i64,
    },
    /// The latest timestamp is not that of any record.
    #[error("maxTimestamp {claimed_ms} at byte 35, but the records' latest is {computed_ms}: set it to that")]
    MaxTimestamp {
        /// The field as found, in Unix milliseconds.
        claimed_ms: i64,
        /// The maximum over the records, in Unix milliseconds.
        computed_ms: i64,
    },
    /// The records cannot be walked without decompressing them.
    #[error("records are compressed: decompress them before they are walked")]
    Compressed,
    /// The records end before the batch does.
    #[error("{trailing_bytes} bytes behind the last record: recordCount and records must agree")]
    TrailingBytes {
        /// Bytes left over.
        trailing_bytes: usize,
    },
    /// A record is wrong.
    #[error("record {index}: {fault}")]
    Record {
        /// The record's index in its batch, from 0.
        index: u32,
        /// What is wrong with it.
        fault: RecordFault,
    },
}

/// What is wrong with one record. Positions are bytes from the start of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordFault {
    /// The bytes end within a field.
    #[error("cut off at byte {position}: lengths must agree with the bytes")]
    CutOff {
        /// Where the field begins.
        position: usize,
    },
    /// A varint has too many bytes or too large a value.
    #[error("varint at byte {position} does not fit its field: at most 5 bytes for 32 bits, 10 for 64")]
    Varint {
        /// Where it begins.
        position: usize,
    },
    /// A length or count that must not be negative, or below -1 where that means null.
    #[error("length {length} before byte {position} is negative: only a key or value of -1 is null")]
    Length {
        /// The value as found.
        length: i32,
        /// The byte behind it.
        position: usize,
    },
    /// Bits without a meaning.
    #[error("attributes {attributes:#04x} before byte {position}: records have no attributes, send 0")]
    Attributes {
        /// The byte as found.
        attributes: u8,
        /// The byte behind it.
        position: usize,
    },
    /// The record is not where its delta says.
    #[error("offset delta {offset_delta}: it must be the record's index")]
    OffsetDelta {
        /// The value as found.
        offset_delta: i32,
    },
    /// Base timestamp and delta do not fit 64 bits together.
    #[error("base timestamp and timestamp delta overflow: send Unix milliseconds")]
    TimestampOverflow,
    /// The record's length is more than its fields take.
    #[error("{left_bytes} bytes left at byte {position} behind the last header: the record's length must agree")]
    LeftOver {
        /// Bytes left over.
        left_bytes: usize,
        /// Where they begin.
        position: usize,
    },
}
