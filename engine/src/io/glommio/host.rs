//! What this process may use of its host: CPUs, io_uring, locked memory.

use std::io;

use rustix::io_uring::IoringFeatureFlags;
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CpuSet, sched_getaffinity};

use super::executor::{RING_DEPTH, StartError};
use super::probe;

const KIB: u64 = 1024;
/// Registered memory of one executor where nothing limits it.
const IO_MEMORY_BYTES: u64 = 512 * KIB;
/// What glommio takes at least.
const IO_MEMORY_BYTES_MIN: u64 = 64 * KIB;
/// glommio registers the same memory with each of its rings, and each counts.
const RINGS_PER_EXECUTOR: u64 = 3;
/// glommio does not start below this limit.
const MEMLOCK_BYTES_MIN: u64 = 512 * KIB;
const PAGE_BYTES: u64 = 4 * KIB;

/// The CPUs that the calling thread may run on, ascending: online, and in its affinity mask and cpuset.
pub fn usable_cpus() -> Result<Vec<usize>, StartError> {
    let set = sched_getaffinity(None).map_err(|error| StartError::CpusUnknown { detail: error.to_string() })?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

/// Checks that `core` may be used.
pub(super) fn check_core(core: usize) -> Result<(), StartError> {
    let usable = usable_cpus()?;
    if usable.contains(&core) { Ok(()) } else { Err(StartError::CpuNotUsable { core, usable }) }
}

/// Checks that io_uring is there, allowed and recent enough.
///
/// # Errors
/// The reason, and what to do about it.
pub fn check_io_uring() -> Result<(), StartError> {
    match probe::io_uring_features(RING_DEPTH) {
        // Both came with 5.11 and 5.12, and with them everything that glommio ends the process for when missing.
        Ok(features) if features.contains(IoringFeatureFlags::EXT_ARG | IoringFeatureFlags::NATIVE_WORKERS) => Ok(()),
        Ok(_) => Err(StartError::KernelTooOld),
        Err(error) => {
            let switch = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
            Err(io_uring_refused(&error, switch.trim()))
        }
    }
}

/// The limit of locked memory, and what executors do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockedMemory {
    /// The limit (RLIMIT_MEMLOCK); none if there is none.
    pub limit_bytes: Option<u64>,
    /// What gives every executor its full registered memory.
    pub wanted_bytes: u64,
}

/// Checks that so many executors can register their memory.
///
/// # Errors
/// If the limit is too low, with what is needed.
pub fn check_locked_memory(executor_count: usize) -> Result<LockedMemory, StartError> {
    io_memory_bytes(executor_count)?;
    let limit_bytes = getrlimit(Resource::Memlock).current;
    Ok(LockedMemory { limit_bytes, wanted_bytes: wanted_bytes(executor_count) })
}

fn wanted_bytes(executor_count: usize) -> u64 {
    (RINGS_PER_EXECUTOR * executor_count as u64 * IO_MEMORY_BYTES).max(MEMLOCK_BYTES_MIN)
}

/// What a refused ring means, given the host's switch (`0` on, `1` only for privileged, `2` off, empty if unknown).
pub(super) fn io_uring_refused(error: &io::Error, switch: &str) -> StartError {
    match (error.raw_os_error(), switch) {
        (Some(libc::EPERM), "1" | "2") => StartError::IoUringDisabled { value: switch.to_owned() },
        (Some(libc::EPERM | libc::EACCES), _) => StartError::IoUringBlocked { detail: error.to_string() },
        // A filter can also pretend that the call is unknown. Where the switch exists the call does.
        (Some(libc::ENOSYS), "") => StartError::IoUringMissing { detail: error.to_string() },
        (Some(libc::ENOSYS), _) => StartError::IoUringBlocked { detail: error.to_string() },
        _ => StartError::IoUringFailed { detail: error.to_string() },
    }
}

/// The memory to register per executor, so that the rings of `executor_count` executors fit the limit.
pub(super) fn io_memory_bytes(executor_count: usize) -> Result<usize, StartError> {
    io_memory_within(getrlimit(Resource::Memlock).current, executor_count)
}

/// [`io_memory_bytes`] for a given limit, `None` being none.
pub(super) fn io_memory_within(limit_bytes: Option<u64>, executor_count: usize) -> Result<usize, StartError> {
    assert!(executor_count > 0, "a process that starts an executor has one");
    let rings = RINGS_PER_EXECUTOR * executor_count as u64;
    let limit_bytes = limit_bytes.unwrap_or(u64::MAX);
    let needed_bytes = (rings * IO_MEMORY_BYTES_MIN).max(MEMLOCK_BYTES_MIN);
    if limit_bytes < needed_bytes {
        let wanted_bytes = wanted_bytes(executor_count);
        return Err(StartError::LockedMemory { limit_bytes, needed_bytes, wanted_bytes });
    }
    let share = limit_bytes / rings;
    let bytes = (share - share % PAGE_BYTES).min(IO_MEMORY_BYTES);
    Ok(usize::try_from(bytes).expect("at most 512 KiB"))
}
