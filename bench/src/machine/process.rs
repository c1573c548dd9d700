//! CPU time of another process, and of this thread.

use rustix::time::{ClockId, clock_gettime};

/// Fields of `/proc/<pid>/stat` behind the command's name, counted from the process's state.
const USER_TICKS_FIELD: usize = 11;
const SYSTEM_TICKS_FIELD: usize = 12;

/// What all threads of a process have used, those that have ended included, in microseconds.
///
/// The kernel tells it in ticks, a hundredth of a second as a rule: right to one tick in all, however long it ran.
pub fn process_cpu_us(process: u32) -> Option<f64> {
    let ticks = ticks_of(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)?;
    Some(ticks as f64 * 1_000_000.0 / rustix::param::clock_ticks_per_second() as f64)
}

/// What this thread has used, in microseconds.
pub fn thread_cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1_000_000.0 + time.tv_nsec as f64 / 1000.0
}

/// User and system ticks in the text of a process's statistics. Its name may hold anything, blanks and brackets too.
pub(super) fn ticks_of(statistics: &str) -> Option<u64> {
    let (_, fields) = statistics.rsplit_once(')')?;
    let ticks = |field| fields.split_whitespace().nth(field)?.parse::<u64>().ok();
    Some(ticks(USER_TICKS_FIELD)? + ticks(SYSTEM_TICKS_FIELD)?)
}
