//! Idempotency keys: what stands for a key and for a body, and what becomes of a batch by what is known of its keys.

mod hash;
mod judge;
mod keyed;

pub use hash::{BodyHasher, KeyHasher};
pub use judge::{BatchVerdict, KeyVerdict, Known, judge};
pub use keyed::{KeyFault, Keying, RecordKey, is_same_payment, keys_of};
