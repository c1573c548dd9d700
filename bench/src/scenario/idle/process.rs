//! What a process uses, as the kernel tells of each of its threads.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

/// A process at one moment.
#[derive(Clone, Debug, Default)]
pub(in crate::scenario) struct Usage {
    pub(in crate::scenario) rss_bytes: u64,
    threads: BTreeMap<u32, Thread>,
}

/// One of its threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Thread {
    /// Nanoseconds on a processor; not every kernel counts them.
    cpu_ns: Option<u64>,
    context_switches: Option<u64>,
}

/// What was used between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) cpu_ns: Option<u64>,
    pub(super) context_switches: Option<u64>,
}

impl Usage {
    /// Of a process that runs.
    pub(in crate::scenario) fn of(process: u32) -> Result<Self> {
        let folder = format!("/proc/{process}");
        Self::read(Path::new(&folder)).with_context(|| format!("process {process} cannot be looked at in /proc"))
    }

    fn read(folder: &Path) -> Result<Self> {
        let status = std::fs::read_to_string(folder.join("status"))?;
        let kib = number_behind(&status, "VmRSS:").context("it has no memory")?;
        let mut threads = BTreeMap::new();
        for entry in std::fs::read_dir(folder.join("task"))? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let text = |name: &str| std::fs::read_to_string(entry.path().join(name)).ok();
            threads.insert(id, Thread::parse(text("schedstat").as_deref(), text("status").as_deref()));
        }
        Ok(Self { rss_bytes: kib * 1024, threads })
    }

    pub(super) fn thread_count(&self) -> usize {
        self.threads.len()
    }

    /// What its threads have used since `before`; those that ended meanwhile are not known any more.
    pub(super) fn since(&self, before: &Self) -> Spent {
        let sum = |value: fn(&Thread) -> Option<u64>| {
            self.threads
                .iter()
                .map(|(id, thread)| {
                    let known = before.threads.get(id).map_or(Some(0), value)?;
                    Some(value(thread)?.saturating_sub(known))
                })
                .sum()
        };
        Spent { cpu_ns: sum(|thread| thread.cpu_ns), context_switches: sum(|thread| thread.context_switches) }
    }
}

impl Thread {
    fn parse(schedstat: Option<&str>, status: Option<&str>) -> Self {
        let cpu_ns = schedstat.and_then(|text| text.split_whitespace().next()?.parse().ok());
        let switches = |name| status.and_then(|text| number_behind(text, name));
        let voluntary = switches("voluntary_ctxt_switches:");
        let context_switches = voluntary.zip(switches("nonvoluntary_ctxt_switches:")).map(|(own, forced)| own + forced);
        Self { cpu_ns, context_switches }
    }
}

/// The number in the line that begins with a name.
fn number_behind(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests;
