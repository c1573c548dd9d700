//! A payment is stored once, whoever sends it and however often, and everybody is told the same of it.

use std::collections::BTreeMap;

use florin_engine::model::Offset;
use florin_net::client::SendError;
use florin_net::client::core::producer::StoredRecord;

use crate::wire::ground::Ground;
use crate::world::checkers::{Checked, violation};

const PROMISE: &str = "a payment is stored once";

/// A payment of these clients.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::wire) struct Payment {
    /// Its idempotency key.
    pub(in crate::wire) key: String,
    /// Its body.
    pub(in crate::wire) body: String,
}

/// Where it is.
pub(in crate::wire) type Place = (u32, Offset);

/// What is told of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Stored(Place),
    /// Another one has its key.
    Conflict(Place),
}

/// Everything that was told of payments.
#[derive(Debug, Default)]
pub(in crate::wire) struct Payments {
    told: BTreeMap<Payment, Told>,
}

impl Ground {
    /// Takes the outcome of a payment. Whether there is none, and it has to be sent again.
    pub(in crate::wire) fn paid(
        &self,
        payment: &Payment,
        partition: u32,
        outcome: Result<StoredRecord, SendError>,
    ) -> Result<bool, crate::world::Violation> {
        use florin_engine::shard::Action::{FixRequest, Retry};
        let told = match outcome {
            Ok(record) => {
                self.count(|summary| {
                    summary.paid_count += 1;
                    summary.known_payment_count += u64::from(record.duplicate);
                });
                Told::Stored((partition, record.offset))
            }
            Err(SendError::KeyConflict { partition, offset, .. }) => {
                self.count(|summary| summary.conflict_count += 1);
                Told::Conflict((partition, offset))
            }
            // Its time was over, whatever the server said last.
            Err(SendError::OutcomeUnknown { .. } | SendError::TimedOut | SendError::Closed) => return Ok(true),
            Err(SendError::Refused(error)) if error.action == Retry => return Ok(true),
            Err(SendError::Refused(error)) if error.action != FixRequest => return Ok(true),
            Err(error) => return violation(PROMISE, format!("{payment:?}: {error}")),
        };
        let before = self.payments.borrow().told.get(payment).copied();
        if before.is_some_and(|before| before != told) {
            return violation(PROMISE, format!("{payment:?} is {before:?}, and then {told:?}"));
        }
        self.payments.borrow_mut().told.insert(payment.clone(), told);
        Ok(false)
    }

    /// What is stored in the end is what everybody was told, and no key is there twice.
    pub(in crate::wire) fn payments_hold(&self, stored: &BTreeMap<Place, Payment>) -> Checked {
        let mut places: BTreeMap<&str, Place> = BTreeMap::new();
        for (place, payment) in stored {
            if let Some(first) = places.insert(&payment.key, *place) {
                return violation(PROMISE, format!("key {} is stored at {first:?} and at {place:?}", payment.key));
            }
        }
        for (payment, told) in &self.payments.borrow().told {
            let (Told::Stored(place) | Told::Conflict(place)) = told;
            let fits = stored.get(place).is_some_and(|there| {
                there.key == payment.key && (there.body == payment.body) == matches!(told, Told::Stored(_))
            });
            if !fits {
                return violation(PROMISE, format!("{payment:?} was told {told:?}, there is {:?}", stored.get(place)));
            }
        }
        Ok(())
    }
}
