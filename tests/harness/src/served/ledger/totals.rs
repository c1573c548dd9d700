//! How much happened: a run in which little happened shows little.

use std::collections::BTreeMap;

/// Counts over all runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Restarts after which everything was read back.
    pub restarts: u64,
    /// Batches sent, each time counted.
    pub sendings: u64,
    /// Batches acknowledged as new.
    pub acked: u64,
    /// Records in them.
    pub acked_records: u64,
    /// Acknowledgements that repeated an earlier one.
    pub duplicates: u64,
    /// Batches that were there after a restart although nobody had been told of them.
    pub recovered_unacked: u64,
    /// Batches that were sent, not answered, and not there after a restart.
    pub gone_unacked: u64,
    /// Batches shown to readers.
    pub shown: u64,
    /// Ends told.
    pub ends_told: u64,
    /// Batches read back, over all restarts.
    pub read_back: u64,
    /// Producer ids.
    pub minted: u64,
    /// Topics whose creation was acknowledged.
    pub topics_created: u64,
    /// Topics whose deletion was acknowledged.
    pub topics_deleted: u64,
    /// Refusals of batches by code.
    pub refused: BTreeMap<u16, u64>,
}

impl Totals {
    pub(super) fn refused(&mut self, code: u16) {
        *self.refused.entry(code).or_default() += 1;
    }
}
