//! What can be left out of a world, to see whether a promise breaks without it.

use clap::ValueEnum;

use super::plan::Plan;

/// Something that clients, their network, the disk or an operator do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Part {
    /// Clients that mean harm.
    Hostile,
    /// Clients that are the cores of the client library.
    Library,
    /// Idempotent producers that speak the protocol by hand.
    Producers,
    /// Clients that send payments to a topic with idempotency keys.
    Payers,
    /// Clients that write records that belong together, and those who read them.
    Movers,
    /// All other clients but one.
    Writers,
    /// Ends of the server before everything comes to rest.
    Ends,
    /// Writes of the disk that fail.
    DiskFaults,
    /// Operations of the disk that take very long.
    DiskStalls,
    /// Reads and writes of sockets that take only a part.
    Partial,
    /// Segments that are very late.
    Stalls,
    /// Connections that break.
    Resets,
    /// Connections that end in order on the way.
    HalfCloses,
    /// Connections that fall silent.
    Silence,
    /// Accepts and connects that fail.
    Refusals,
    /// Every executor and shard but one.
    Shards,
}

impl Plan {
    /// The same world without some part of it.
    pub fn leave_out(&mut self, part: Part) {
        let faults = &mut self.network.faults;
        match part {
            Part::Hostile => self.hostile_count = 0,
            Part::Library => self.library_count = 0,
            Part::Producers => self.producer_count = 0,
            Part::Payers => self.payer_count = 0,
            Part::Movers => (self.mover_count, self.watcher_count) = (0, 0),
            Part::Writers => self.writer_count = 1,
            Part::Ends => self.end_count = 0,
            Part::DiskFaults => self.has_disk_faults = false,
            Part::DiskStalls => self.disk.latencies.stall_ppm = 0,
            Part::Partial => faults.part_ppm = 0,
            Part::Stalls => faults.stall_ppm = 0,
            Part::Resets => faults.reset_ppm = 0,
            Part::HalfCloses => faults.end_ppm = 0,
            Part::Silence => faults.silence_ppm = 0,
            Part::Refusals => (faults.accept_fail_ppm, faults.connect_fail_ppm) = (0, 0),
            Part::Shards => (self.shard_count, self.executor_count) = (1, 1),
        }
    }
}
