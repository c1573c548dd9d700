//! Idempotency keys at rest: written sorted when the batches they came with are, looked up page by page, put together as
//! they grow many.
//!
//! A *key run* holds the keys of a stretch of a partition's offsets. The key runs of a partition follow each other without
//! a gap; where two of them have the same key the later one counts, because the earlier had expired when it came again.

pub mod check;
pub mod look_up;
pub mod merge;
pub mod run;
pub mod write;

pub use run::KeyRun;

#[cfg(test)]
mod tests;
