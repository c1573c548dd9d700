//! Batches at rest: segment files are written from memory, read back when they are asked for, and put together when
//! they are small.
//!
//! A *run* is a stretch of one partition in one file, extent behind extent. A file with runs of one partition grows
//! until it is sealed with an index; one that many partitions share is written at once.

pub mod index;
pub mod merge;
pub mod plan;
pub mod read;
pub mod remove;
pub mod run;
pub mod salvage;
pub mod table;
pub mod write;

pub use plan::{FilePlan, Part, WritePlan};
pub use run::Run;
pub use table::{SegmentState, SegmentTable};

#[cfg(test)]
pub(crate) mod tests;
