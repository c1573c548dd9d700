//! Writing a stamp into a batch that is built already.

use bytes::{Bytes, BytesMut};
use florin_engine::format::batch::HEADER_BYTES;
use florin_engine::model::{ProducerEpoch, ProducerId};

/// Where the fields stand in the header of a record batch v2; all are big-endian.
const CRC_AT: usize = 17;
const CHECKED_FROM: usize = 21;
const PRODUCER_ID_AT: usize = 43;
const PRODUCER_EPOCH_AT: usize = 51;
const BASE_SEQUENCE_AT: usize = 53;

/// The same records under another stamp. Only for batches that are certainly not stored: to the server it is another
/// batch.
pub(super) fn restamped(batch: Bytes, id: ProducerId, epoch: ProducerEpoch, base_sequence: u32) -> Bytes {
    assert!(batch.len() > HEADER_BYTES, "a batch has a header and a record");
    let mut batch = batch.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    batch[PRODUCER_ID_AT..PRODUCER_EPOCH_AT].copy_from_slice(&id.0.to_be_bytes());
    batch[PRODUCER_EPOCH_AT..BASE_SEQUENCE_AT].copy_from_slice(&epoch.0.to_be_bytes());
    batch[BASE_SEQUENCE_AT..BASE_SEQUENCE_AT + 4].copy_from_slice(&base_sequence.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CHECKED_FROM..]);
    batch[CRC_AT..CHECKED_FROM].copy_from_slice(&crc.to_be_bytes());
    batch.freeze()
}
