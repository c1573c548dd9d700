//! What happened on a simulated network.

/// Counts since the start of the simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkCounters {
    /// Connections made.
    pub connection_count: u64,
    /// Connections refused.
    pub refused_count: u64,
    /// Accepts that failed.
    pub accept_failed_count: u64,
    /// Reads and writes that took only a part.
    pub part_count: u64,
    /// Segments that were very late.
    pub stall_count: u64,
    /// Connections that broke.
    pub reset_count: u64,
    /// Connections that ended in order on the way.
    pub end_count: u64,
    /// Connections that fell silent.
    pub silence_count: u64,
    /// Writes that found no room because the other side did not read.
    pub full_count: u64,
    /// Bytes taken from writers.
    pub sent_bytes: u64,
}
