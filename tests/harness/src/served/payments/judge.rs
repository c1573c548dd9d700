//! What payers were told, held against what is stored.

use std::collections::BTreeMap;

use super::Stored;
use crate::served::library::accounts::Contents;

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payment {
    /// Its idempotency key.
    pub key: String,
    /// The rest of it.
    pub amount: u32,
}

/// What was told of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is stored there.
    Stored {
        /// Its partition.
        partition: u32,
        /// Its offset.
        offset: u64,
    },
    /// Another one is stored there under its key.
    Conflict {
        /// The partition.
        partition: u32,
        /// The offset.
        offset: u64,
    },
}

/// Everything that was told, payment by payment.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    told: BTreeMap<Payment, Answer>,
}

impl Payment {
    /// A payment of an amount.
    pub fn new(key: String, amount: u32) -> Self {
        Self { key, amount }
    }

    /// The value of its record.
    pub fn value(&self) -> String {
        let words = format!("{} {}", self.key, self.amount);
        format!("{words} {}", crc32c::crc32c(words.as_bytes()))
    }

    fn of(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let mut words = text.split(' ');
        let payment = Self { key: words.next()?.to_owned(), amount: words.next()?.parse().ok()? };
        (text == payment.value()).then_some(payment)
    }
}

impl Answers {
    /// Notes what somebody was told.
    ///
    /// # Errors
    /// If somebody was told otherwise before.
    pub fn note(&mut self, payment: Payment, answer: Answer) -> Result<(), String> {
        match self.told.get(&payment) {
            Some(before) if *before != answer => Err(format!("{payment:?} is {before:?}, and then {answer:?}")),
            Some(_) => Ok(()),
            None => {
                self.told.insert(payment, answer);
                Ok(())
            }
        }
    }
}

/// Whether what is stored fits every answer, and no key is stored twice. Gives where each key is.
///
/// # Errors
/// The first that does not hold.
pub fn judge(answers: &Answers, contents: &Contents) -> Result<Stored, String> {
    let mut stored = Stored::new();
    let mut payments = BTreeMap::new();
    for (partition, records) in contents {
        for (expected, (offset, value)) in (0..).zip(records) {
            let at = format!("partition {partition}, offset {offset}");
            if *offset != expected {
                return Err(format!("gap: {at} stands where {expected} must be"));
            }
            let payment = Payment::of(value).ok_or_else(|| format!("other bytes: {at} holds {value:?}"))?;
            if let Some(first) = stored.insert(payment.key.clone(), (*partition, *offset)) {
                return Err(format!("stored twice: key {} at {first:?} and {at}", payment.key));
            }
            payments.insert((*partition, *offset), payment);
        }
    }
    for (payment, answer) in &answers.told {
        let (is_own, place) = match *answer {
            Answer::Stored { partition, offset } => (true, (partition, offset)),
            Answer::Conflict { partition, offset } => (false, (partition, offset)),
        };
        let there = payments.get(&place);
        let fits = there.is_some_and(|there| there.key == payment.key && (there.amount == payment.amount) == is_own);
        if !fits {
            return Err(format!("{payment:?} was told {answer:?}, and there is {there:?}"));
        }
    }
    Ok(stored)
}

#[cfg(test)]
mod tests;
