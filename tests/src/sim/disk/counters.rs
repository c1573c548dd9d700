//! What the disk did, for coverage: a run in which nothing was torn proves nothing about torn blocks.

use florin_engine::io::DiskOperation;

use super::fault::Fault;

const OPERATION_KINDS: usize = 9;
const FAULT_KINDS: usize = 7;
/// In the order of [`fault_index`].
const FAULT_NAMES: [&str; FAULT_KINDS] =
    ["failed", "no_space", "short_writes", Fault::LIE_NAME, "lost_writes", "misdirected_writes", "slow"];

/// Everything that happened on one device since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    operations: [u64; OPERATION_KINDS],
    faults: [u64; FAULT_KINDS],
    /// Bytes of completed reads.
    pub read_bytes: u64,
    /// Bytes of completed writes.
    pub written_bytes: u64,
    /// Operations that took far longer than others.
    pub stall_count: u64,
    /// How often the power went.
    pub power_loss_count: u64,
    /// How often the process was killed.
    pub kill_count: u64,
    /// Not yet durable writes of which a power loss or a kill left nothing.
    pub writes_absent_count: u64,
    /// Those of which it left everything.
    pub writes_present_count: u64,
    /// Those of which it left a part.
    pub writes_torn_count: u64,
    /// Changes of names that a power loss undid.
    pub names_undone_count: u64,
}

impl Counters {
    /// How many operations of this kind were started, directories created included.
    pub fn operation_count(&self, operation: DiskOperation) -> u64 {
        self.operations[operation_index(operation)]
    }

    /// How many faults of this kind struck; both kinds of misdirection are one.
    pub fn fault_count(&self, fault: Fault) -> u64 {
        self.faults[fault_index(fault)]
    }

    /// All operations.
    pub fn operation_count_all(&self) -> u64 {
        self.operations.iter().sum()
    }

    /// All faults.
    pub fn fault_count_all(&self) -> u64 {
        self.faults.iter().sum()
    }

    /// Faults by kind, and what became of writes, by name.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut counts: Vec<_> = FAULT_NAMES.into_iter().zip(self.faults).collect();
        counts.extend([
            ("stalls", self.stall_count),
            ("power_losses", self.power_loss_count),
            ("kills", self.kill_count),
            ("writes_absent", self.writes_absent_count),
            ("writes_present", self.writes_present_count),
            ("writes_torn", self.writes_torn_count),
            ("names_undone", self.names_undone_count),
        ]);
        counts
    }

    /// Adds what happened elsewhere: for totals over many seeds.
    pub fn add(&mut self, other: &Self) {
        self.operations.iter_mut().zip(other.operations).for_each(|(sum, count)| *sum += count);
        self.faults.iter_mut().zip(other.faults).for_each(|(sum, count)| *sum += count);
        self.read_bytes += other.read_bytes;
        self.written_bytes += other.written_bytes;
        self.stall_count += other.stall_count;
        self.power_loss_count += other.power_loss_count;
        self.kill_count += other.kill_count;
        self.writes_absent_count += other.writes_absent_count;
        self.writes_present_count += other.writes_present_count;
        self.writes_torn_count += other.writes_torn_count;
        self.names_undone_count += other.names_undone_count;
    }

    pub(super) fn count_operation(&mut self, operation: DiskOperation) {
        self.operations[operation_index(operation)] += 1;
    }

    pub(super) fn count_fault(&mut self, fault: Fault) {
        self.faults[fault_index(fault)] += 1;
    }

    pub(super) fn count_landing(&mut self, landing: Landing) {
        match landing {
            Landing::Absent => self.writes_absent_count += 1,
            Landing::Present => self.writes_present_count += 1,
            Landing::Torn => self.writes_torn_count += 1,
        }
    }
}

/// What became of a write that nobody was told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landing {
    Absent,
    Present,
    Torn,
}

fn operation_index(operation: DiskOperation) -> usize {
    match operation {
        DiskOperation::Create => 0,
        DiskOperation::Open => 1,
        DiskOperation::Read => 2,
        DiskOperation::Write => 3,
        DiskOperation::Sync => 4,
        DiskOperation::List => 5,
        DiskOperation::Rename => 6,
        DiskOperation::Remove => 7,
        DiskOperation::SyncDirectory => 8,
    }
}

fn fault_index(fault: Fault) -> usize {
    match fault {
        Fault::Fail => 0,
        Fault::NoSpace => 1,
        Fault::Short => 2,
        Fault::Lie => 3,
        Fault::Lost => 4,
        Fault::Misdirect | Fault::MisdirectTo(_) => 5,
        Fault::Slow { .. } => 6,
    }
}
