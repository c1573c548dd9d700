//! A batch of a producer is stored once, and whoever sends it again gets the original answer, over whatever connection.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use florin_engine::format::batch::ProducerStamp;
use florin_engine::model::{Offset, PartitionId, ProducerEpoch, ProducerId, Realtime};
use florin_net::protocol::{Code, ErrorResponse};

use crate::wire::ground::Ground;
use crate::world::checkers::{Checked, violation};
use crate::world::model::SentBatch;

impl Ground {
    /// A batch will be sent.
    pub(in crate::wire) fn know(
        &self,
        serial: u64,
        partition: PartitionId,
        bytes: Bytes,
        record_count: u64,
        stamp: Option<ProducerStamp>,
    ) {
        let sent = SentBatch {
            partition,
            bytes,
            record_count,
            stamp,
            attempt_count: 0,
            sent_at: Realtime(0),
            open_count: 0,
            may_be_stored: false,
            receipt: None,
            forbidden: false,
            known_as: None,
        };
        self.model.borrow_mut().sent.insert(serial, sent);
    }

    /// A batch is sent (again).
    pub(in crate::wire) fn sent(&self, serial: u64) {
        let now = self.executor.now().realtime;
        self.model.borrow_mut().send(serial, now);
        let is_retry = self.model.borrow().sent[&serial].attempt_count > 1;
        self.count(|summary| summary.retry_count += u64::from(is_retry));
    }

    /// Nobody knows how an attempt ended.
    pub(in crate::wire) fn unknown(&self, serial: u64) {
        self.count(|summary| summary.unknown_count += 1);
        self.model.borrow_mut().unknown(serial);
    }

    /// An attempt was acknowledged.
    pub(in crate::wire) fn captured(&self, serial: u64, base: Offset, time: Realtime, duplicate: bool) -> Checked {
        self.count(|summary| {
            summary.acked_count += 1;
            summary.duplicate_count += u64::from(duplicate);
        });
        self.model.borrow_mut().acked(serial, base, time, duplicate)
    }

    /// An attempt was refused. `is_first` says that every batch before it is stored, and that no later one can be.
    pub(in crate::wire) fn capture_refused(&self, serial: u64, is_first: bool, error: &ErrorResponse) -> Checked {
        if error.code == Code::OUTCOME_UNKNOWN {
            self.unknown(serial);
            return Ok(());
        }
        self.model.borrow_mut().refused(serial);
        let by_sequence = [Code::OUT_OF_ORDER, Code::UNKNOWN_PRODUCER].contains(&error.code);
        if !by_sequence {
            return self.is_no_blame(error);
        }
        self.count(|summary| summary.refused_count += 1);
        if is_first {
            return violation("exactly once", format!("batch {serial} is the next and was refused: {error}"));
        }
        Ok(())
    }

    /// A batch that had been acknowledged was sent once more and acknowledged again.
    pub(in crate::wire) fn is_duplicate(&self, serial: u64, duplicate: bool) -> Checked {
        if duplicate {
            return Ok(());
        }
        violation("exactly once", format!("batch {serial} was acknowledged before, and is called new"))
    }

    /// The bytes of a batch change only as long as no attempt of it may be stored.
    pub(in crate::wire) fn stamped_anew(&self, serial: u64, bytes: &Bytes, stamp: Option<ProducerStamp>) -> Checked {
        let mut model = self.model.borrow_mut();
        let sent = model.sent.get_mut(&serial).expect("a batch is noted before it is sent");
        if sent.bytes == *bytes {
            return Ok(());
        }
        if sent.may_be_stored || sent.open_count > 0 || sent.receipt.is_some() {
            let what = format!("batch {serial} may be stored, and is sent again with another stamp");
            return violation("exactly once", what);
        }
        (sent.bytes, sent.stamp) = (bytes.clone(), stamp);
        Ok(())
    }

    /// What was read of a whole partition holds no batch twice, and the batches of each producer follow each other.
    pub(in crate::wire) fn is_stored_once(&self, partition: PartitionId, serials: &[u64]) -> Checked {
        let model = self.model.borrow();
        let mut seen = BTreeSet::new();
        let mut next: BTreeMap<(ProducerId, ProducerEpoch), u32> = BTreeMap::new();
        for serial in serials {
            if !seen.insert(serial) {
                return violation("exactly once", format!("{partition}: batch {serial} is stored twice"));
            }
            let Some(stamp) = model.sent[serial].stamp else { continue };
            let expected = next.insert((stamp.id, stamp.epoch), stamp.next_sequence()).unwrap_or(0);
            if stamp.base_sequence != expected {
                let what = format!("{partition}: producer {} goes on with {stamp:?}, not {expected}", stamp.id);
                return violation("exactly once", what);
            }
        }
        Ok(())
    }
}
