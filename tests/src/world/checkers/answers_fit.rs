//! A request is answered by its own kind of answer.

use std::fmt::Debug;

use florin_engine::model::PartitionId;
use florin_engine::shard::{Action, Fetched, Refusal};

use crate::world::checkers::{Checked, violation};

const PROMISE: &str = "answers fit";

/// The answer is none to what was asked.
pub fn does_not_fit(asked: &dyn Debug, answer: &dyn Debug) -> Checked {
    violation(PROMISE, format!("{asked:?} was answered with {answer:?}"))
}

/// A refusal says why, under a code, and only one that leaves the outcome open lets a client doubt it.
pub fn says_what_to_do(refusal: &Refusal) -> Checked {
    let lets_doubt = refusal.action() == Action::OutcomeUnknown;
    let is_open = matches!(refusal, Refusal::OutcomeUnknown(_));
    if refusal.code() == 0 || refusal.to_string().is_empty() || lets_doubt != is_open {
        return violation(PROMISE, format!("{refusal:?} is told as {} {refusal}", refusal.code()));
    }
    Ok(())
}

/// A wrong request is refused for what is wrong with it, unless the shard takes nothing or has moved on.
pub fn names_the_mistake(code: u16, refusal: &Refusal) -> Checked {
    let is_about_the_server =
        matches!(refusal.action(), Action::Retry | Action::Refresh) && !matches!(refusal, Refusal::Batch(_));
    if refusal.code() == code || is_about_the_server {
        return Ok(());
    }
    violation(
        PROMISE,
        format!("a request was to be refused with code {code}, and was with {}: {refusal}", refusal.code()),
    )
}

/// A fetch brings at least one batch if there is one, and not more bytes than were asked for unless it is one.
pub fn fits(partition: PartitionId, from: u64, bytes_max: usize, fetched: &Fetched) -> Checked {
    let bytes: usize = fetched.batches.iter().map(|held| held.bytes.len()).sum();
    let is_empty = fetched.batches.is_empty();
    if is_empty && from < fetched.high_watermark.0 {
        return violation(PROMISE, format!("{partition}: nothing from {from} on, before the end"));
    }
    if bytes > bytes_max && fetched.batches.len() > 1 {
        return violation(PROMISE, format!("{partition}: {bytes} bytes, {bytes_max} were asked for"));
    }
    Ok(())
}
