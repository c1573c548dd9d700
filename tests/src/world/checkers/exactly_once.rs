//! No stamped batch is stored twice or against its sequence.

use std::collections::{BTreeMap, BTreeSet};

use florin_engine::model::{Offset, PartitionId, ProducerEpoch, ProducerId, Realtime};
use florin_engine::shard::{Action, Fetched, KeyReceipt, Refusal};

use crate::world::checkers::{Checked, Violation, violation};
use crate::world::clients::serial_of;
use crate::world::model::{Model, SentBatch};
use crate::world::run::{Expect, World};

const PROMISE: &str = "exactly once";

/// A batch that was sent once is no duplicate.
pub fn may_be_duplicate(serial: u64, sent: &SentBatch, duplicate: bool) -> Checked {
    if duplicate && sent.attempt_count < 2 {
        return violation(PROMISE, format!("batch {serial} was sent once and called a duplicate"));
    }
    Ok(())
}

/// Payments that are stored get the answer of the batch that they were stored with.
pub fn is_that_of(serial: u64, stored: &SentBatch, told: (Offset, Realtime), duplicate: bool) -> Checked {
    if duplicate && stored.receipt == Some(told) {
        return Ok(());
    }
    violation(PROMISE, format!("batch {serial} is stored at {:?}, and was told {told:?}, {duplicate}", stored.receipt))
}

/// What its sequence forbids is not shown.
pub fn may_be_shown(serial: u64, sent: &SentBatch) -> Checked {
    if sent.forbidden {
        return violation(PROMISE, format!("batch {serial} is stored although its sequence forbids it"));
    }
    Ok(())
}

/// What its sequence forbids is not acknowledged.
pub fn may_be_acknowledged(serial: u64, expect: Expect) -> Checked {
    if expect == Expect::Refused {
        return violation(PROMISE, format!("batch {serial} was stored against its sequence"));
    }
    Ok(())
}

/// The keys of a batch refuse it only if it is sent under those of another one.
pub fn keys_may_refuse(serial: u64, expect: Expect, refusal: &Refusal) -> Checked {
    match refusal {
        Refusal::KeysKnown { .. } if expect == Expect::Stored => {
            violation(PROMISE, format!("batch {serial} has its own keys and was refused: {refusal}"))
        }
        Refusal::Keys(_) | Refusal::NoKeys(_) => violation(PROMISE, format!("batch {serial} was refused: {refusal}")),
        _ => Ok(()),
    }
}

/// A batch that was acknowledged is known by the key of its first record.
pub fn is_known(serial: u64, sent: &SentBatch, receipt: Option<KeyReceipt>) -> Checked {
    let told = receipt.map(|receipt| (receipt.offset, receipt.append_time));
    if told == sent.receipt || sent.receipt.is_none() {
        return Ok(());
    }
    violation(PROMISE, format!("batch {serial} is stored at {:?}, and its key says {told:?}", sent.receipt))
}

/// A look-up that is not answered is refused because the server cannot.
pub fn may_not_be_told(refusal: &Refusal) -> Checked {
    if matches!(refusal.action(), Action::Retry | Action::Refresh | Action::OutcomeUnknown) {
        return Ok(());
    }
    violation(PROMISE, format!("a key was looked up, and: {refusal}"))
}

/// The serials of a partition that was read whole: none comes twice.
pub fn serials_once(partition: PartitionId, fetched: &Fetched) -> Result<BTreeSet<u64>, Violation> {
    let mut serials = BTreeSet::new();
    for serial in fetched.batches.iter().filter_map(|held| serial_of(&held.bytes)) {
        if !serials.insert(serial) {
            return violation(PROMISE, format!("{partition}: batch {serial} is stored twice"));
        }
    }
    Ok(serials)
}

impl World {
    /// The batches of each producer epoch follow each other without a gap, from sequence 0.
    pub fn sequences_follow(&self, partition: PartitionId, fetched: &Fetched) -> Checked {
        let mut next: BTreeMap<(ProducerId, ProducerEpoch), u32> = BTreeMap::new();
        for held in &fetched.batches {
            let stamp = serial_of(&held.bytes).and_then(|serial| self.model.sent[&serial].stamp);
            let Some(stamp) = stamp.filter(|stamp| !self.model.noted.contains(&(stamp.id, stamp.epoch))) else {
                continue;
            };
            let before = next.insert((stamp.id, stamp.epoch), stamp.next_sequence());
            // What retention has cut, or an operator gave up, cannot be followed.
            let is_lost = self.model.partitions.get(&partition).is_some_and(|facts| !facts.lost.is_empty());
            let is_cut = is_lost || (before.is_none() && fetched.start_offset > Offset(0));
            let expected = before.unwrap_or(0);
            if stamp.base_sequence != expected && !is_cut {
                let what = format!(
                    "{partition}: producer {} goes on with {} instead of {expected}",
                    stamp.id, stamp.base_sequence
                );
                return violation(PROMISE, what);
            }
        }
        Ok(())
    }
}

impl Model {
    /// A batch that must never be stored was not shown, nor one that a client was refused each time.
    pub fn may_be_stored(&self, serial: u64) -> Checked {
        let sent = &self.sent[&serial];
        may_be_shown(serial, sent)?;
        super::durability::was_not_refused_each_time(serial, sent)
    }
}
