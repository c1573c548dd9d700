//! CPU time that the host of a virtual machine gave to others while this one had work.
//!
//! The first line of `/proc/stat` (proc_stat(5)) counts ticks of all CPUs by what they went to. Who shares a host
//! measures the others too; pauses that end in the highest percentiles come from there.

/// Fields that add up to all time: those behind them are counted in `user` and `nice` as well.
const FIELD_COUNT: usize = 8;
const STOLEN_FIELD: usize = 7;

/// Ticks of all CPUs since the machine was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuTicks {
    total: u64,
    stolen: u64,
}

impl CpuTicks {
    /// Those of now, if the kernel tells them.
    pub fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// Those in the text of the kernel's statistics.
    pub(super) fn parse(statistics: &str) -> Option<Self> {
        let line = statistics.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> =
            line.split_whitespace().take(FIELD_COUNT).map(|field| field.parse().ok()).collect::<Option<_>>()?;
        Some(Self { total: ticks.iter().sum(), stolen: *ticks.get(STOLEN_FIELD)? })
    }

    /// Per cent of the time since `before` that the host took; `None` if no time has passed.
    pub fn stolen_percent_since(&self, before: &Self) -> Option<f64> {
        let total = self.total.checked_sub(before.total).filter(|total| *total > 0)?;
        Some(self.stolen.saturating_sub(before.stolen) as f64 * 100.0 / total as f64)
    }
}
