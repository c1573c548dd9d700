//! Threads on cores of choice.

use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Does the work on a thread that may only run on `core`; without one, on this thread as it is.
///
/// A process that is started in the meantime inherits the core. A thread of its own is bound, so that no affinity has
/// to be put back.
pub fn on_core<T: Send>(core: Option<usize>, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let Some(core) = core else { return work() };
    let bound = move || {
        bind(core)?;
        work()
    };
    std::thread::scope(|scope| match scope.spawn(bound).join() {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Binds the thread that calls.
fn bind(core: usize) -> Result<()> {
    let usable = sched_getaffinity(None).context("the usable cores cannot be read")?;
    if core >= CpuSet::MAX_CPU || !usable.is_set(core) {
        let cores: Vec<String> =
            (0..CpuSet::MAX_CPU).filter(|core| usable.is_set(*core)).map(|core| core.to_string()).collect();
        bail!("core {core} cannot be used by this process: use one of {}", cores.join(", "));
    }
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).with_context(|| format!("a thread cannot be bound to core {core}"))
}
