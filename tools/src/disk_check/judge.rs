//! What is made of what was found. Nothing here asks or measures.

use std::io;

use florin_engine::checkpoint::slot;
use florin_engine::format::layout::Geometry;
use florin_engine::io::fitness::{
    BlockDevice, DirectAlignment, DirectIo, FileSystem, FreeSpace, Unfit, Warning, WriteCache,
};
use florin_engine::io::glommio::{LockedMemory, StartError};
use florin_engine::limits::{
    MANIFEST_BYTES_DEFAULT, MANIFEST_SLOT_COUNT, RING_FILE_BYTES_DEFAULT, RING_FILE_COUNT_DEFAULT,
    SEGMENT_BYTES_DEFAULT,
};

use super::finding::{Check, Verdict};
use super::measure::Measured;
use crate::latency::{LatencySummary, milliseconds};
use crate::size::{Size, counted, grouped};

/// A device that loses its cache with the power has to move data to flash or to a platter for each flush. What is
/// faster than this has not.
const IMPLAUSIBLE_NS: u64 = 30_000;
/// From here on the median of durable writes is worth a word.
const SLOW_P50_NS: u64 = 10_000_000;
/// The same of one in a hundred.
const SLOW_P99_NS: u64 = 100_000_000;
/// Flushes for each write, at least, if each write is flushed; a few may be counted just outside of a measurement.
const FLUSHES_PER_WRITE_MIN: f64 = 0.9;
/// Files of a shard beside its ring: superblocks, manifests, some segments, and its directory.
const SHARD_FILES: u64 = 16;

/// The kind of file system, and how it is mounted.
pub(super) fn file_system(kind: Result<FileSystem, Unfit>, found: Result<Vec<Warning>, Unfit>) -> Check {
    let value = kind.map_or_else(|error| error.to_string(), |kind| kind.to_string());
    let check = Check::fit("file_system", value);
    match found {
        Ok(warnings) if warnings.is_empty() => check,
        Ok(warnings) => {
            let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
            check.but(Verdict::Warning, said.join("; "))
        }
        Err(reason @ Unfit::Failed { .. }) => check.but(Verdict::CannotTell, reason.to_string()),
        Err(reason) => check.but(Verdict::Unfit, reason.to_string()),
    }
}

/// Whether reads and writes can pass the page cache by.
pub(super) fn direct_io(found: Result<Option<DirectAlignment>, Unfit>, wanted: DirectIo) -> Check {
    let check = |value: &str| Check::fit("direct_io", value);
    match found {
        Ok(Some(DirectAlignment::Known { memory_bytes, position_bytes })) => {
            check(&format!("O_DIRECT works; memory aligned to {memory_bytes} bytes, positions to {position_bytes}"))
        }
        Ok(Some(DirectAlignment::Tried) | None) => check("O_DIRECT works; nobody says how it has to be aligned"),
        Err(reason @ (Unfit::NoDirectIo { .. } | Unfit::Alignment { .. } | Unfit::DataJournal)) => {
            let verdict = if wanted == DirectIo::Off { Verdict::Warning } else { Verdict::Unfit };
            check("O_DIRECT does not work").but(verdict, reason.to_string())
        }
        Err(reason) => check("not known").but(Verdict::CannotTell, reason.to_string()),
    }
}

/// Whether space can be allocated before it is written.
pub(super) fn preallocation(found: io::Result<()>) -> Check {
    let check = |value: &str| Check::fit("preallocation", value);
    match found {
        Ok(()) => check("works"),
        Err(error) => match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::OPNOTSUPP) => check("not offered").but(
                Verdict::Unfit,
                "a journal that is not allocated beforehand can run out of space within a capture: use ext4 or xfs",
            ),
            Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
                check("no space left").but(Verdict::Unfit, "free space, or raise the quota of this user")
            }
            _ => check("not known").but(Verdict::CannotTell, error.to_string()),
        },
    }
}

/// Whether a directory as it is formatted by default fits. One that is there is allocated already.
pub(super) fn space(found: io::Result<FreeSpace>, shard_count: u16, has_directory: bool) -> Check {
    let free = match found {
        Ok(free) => free,
        Err(error) => return Check::fit("space", "not known").but(Verdict::CannotTell, error.to_string()),
    };
    let files = free.files.map_or_else(|| "any number of".to_owned(), grouped);
    let value = format!("{} and {files} files free", Size(free.bytes).rounded());
    if has_directory {
        let check = Check::fit("space", format!("{value}; the journals are allocated already"));
        if free.bytes >= SEGMENT_BYTES_DEFAULT {
            return check;
        }
        return check
            .but(Verdict::Warning, "there is no room for another segment file: free space, or let topics keep less");
    }
    let (geometry, shards) = (default_geometry(), u64::from(shard_count));
    let shard_bytes = geometry.ring_bytes() + u64::from(MANIFEST_SLOT_COUNT) * slot::file_bytes(geometry);
    let shard_files = u64::from(geometry.file_count) + SHARD_FILES;
    let wanted = counted(shards, "shard", "shards");
    let check =
        Check::fit("space", format!("{value}; {wanted} as by default take {}", Size(shards * shard_bytes).rounded()));
    let fits =
        |count: u64| free.bytes >= count * shard_bytes && free.files.is_none_or(|files| files >= count * shard_files);
    if fits(shards) {
        check
    } else if fits(1) {
        check.but(
            Verdict::Warning,
            "not enough for all of them: free some, or format with fewer --shards or a smaller journal",
        )
    } else {
        check.but(Verdict::Unfit, "not enough for one shard: free some, or format with a smaller journal")
    }
}

fn default_geometry() -> Geometry {
    Geometry {
        file_count: RING_FILE_COUNT_DEFAULT,
        file_bytes: RING_FILE_BYTES_DEFAULT,
        manifest_bytes: MANIFEST_BYTES_DEFAULT,
    }
}

/// Whether the executors can register their memory.
pub(super) fn locked_memory(found: Result<LockedMemory, StartError>) -> Check {
    match found {
        Ok(LockedMemory { limit_bytes: None, .. }) => Check::fit("locked_memory", "no limit"),
        Ok(LockedMemory { limit_bytes: Some(limit), wanted_bytes }) => {
            let check = Check::fit("locked_memory", format!("{} may be locked", Size(limit).rounded()));
            if limit >= wanted_bytes {
                return check;
            }
            let wanted = Size(wanted_bytes).rounded();
            check.but(
                Verdict::Warning,
                format!("it will do; {wanted} are better (`ulimit -l`, LimitMEMLOCK= in systemd)"),
            )
        }
        Err(error @ StartError::LockedMemory { .. }) => {
            Check::fit("locked_memory", "too little may be locked").but(Verdict::Unfit, error.to_string())
        }
        Err(error) => Check::fit("locked_memory", "not known").but(Verdict::CannotTell, error.to_string()),
    }
}

/// Whether io_uring may be used.
pub(super) fn io_uring(found: Result<(), StartError>) -> Check {
    match found {
        Ok(()) => Check::fit("io_uring", "allowed"),
        Err(error) => Check::fit("io_uring", "not to be had").but(Verdict::Unfit, error.to_string()),
    }
}

/// What the device says about its cache.
pub(super) fn device(device: Option<&BlockDevice>) -> Check {
    let Some(device) = device else {
        return Check::fit("device", "not known").but(
            Verdict::Warning,
            "the system shows no single block device below this directory, so nobody can tell whether it is flushed",
        );
    };
    let check = Check::fit("device", device.description());
    match device.write_cache() {
        Some(WriteCache::Volatile) => check,
        Some(WriteCache::None) => {
            let advice = "it says that its cache survives a loss of power; that is believed, not tested";
            check.but(Verdict::Fit, advice)
        }
        None => check.but(Verdict::Warning, "it does not say whether it has a cache that has to be flushed"),
    }
}

/// Durable writes could not be made.
pub(super) fn not_measured(why: &str) -> Check {
    Check::fit("durable_write", "not measured").but(Verdict::CannotTell, why)
}

fn words(how: &str, measured: &Measured) -> String {
    let LatencySummary { p50_ns, p99_ns, max_ns, .. } = measured.latency;
    let [p50, p99, max] = [p50_ns, p99_ns, max_ns].map(milliseconds);
    format!("{how}: p50 {p50} ms, p99 {p99} ms, max {max} ms of {} writes", grouped(measured.write_count))
}

/// The least that an acknowledgement costs.
pub(super) fn durable_write(measured: &Measured) -> Check {
    let how =
        if measured.measurement == "direct" { "4 KiB overwritten past the page cache" } else { "4 KiB overwritten" };
    let check = Check::fit("durable_write", words(how, measured));
    if measured.latency.p50_ns > SLOW_P50_NS || measured.latency.p99_ns > SLOW_P99_NS {
        return check.but(Verdict::Warning, "slow, or busy: no acknowledgement can be faster than this");
    }
    check
}

/// The same by a write and a sync, to compare.
pub(super) fn write_and_sync(measured: &Measured) -> Check {
    Check::fit("write_and_sync", words("4 KiB written, then fdatasync", measured))
}

/// Whether flushes reach a device that needs them.
pub(super) fn flushes(
    cache: Option<WriteCache>,
    has_fua: Option<bool>,
    durable: &Measured,
    synced: &Measured,
) -> Check {
    let check = |value: String| Check::fit("flushes", value);
    match cache {
        Some(WriteCache::None) => return check("none is needed, as the device says".to_owned()),
        None => {
            return check("not known".to_owned())
                .but(Verdict::Warning, "whether flushes are needed, and reach the device, cannot be told");
        }
        Some(WriteCache::Volatile) => {}
    }
    let (Some(of_durable), Some(of_synced)) = (durable.flushes_per_write(), synced.flushes_per_write()) else {
        return check("not counted by this kernel".to_owned())
            .but(Verdict::Warning, "whether flushes reach the device cannot be told: Linux counts them from 5.5 on");
    };
    let check = check(format!("{of_durable:.2} for each durable write, {of_synced:.2} for each fdatasync"));
    // With FUA the write itself passes the cache by, and no flush is needed.
    let needed = if has_fua == Some(true) { of_synced } else { of_synced.min(of_durable) };
    if needed == 0.0 {
        check.but(
            Verdict::Unfit,
            "the device says that its cache is volatile, and it was never flushed: what is acknowledged would be lost with \
             the power. Mount with barriers, and let a virtual disk pass flushes on",
        )
    } else if needed < FLUSHES_PER_WRITE_MIN {
        check.but(Verdict::Warning, "fewer flushes than durable writes: measure again while nothing else uses the disk")
    } else {
        check
    }
}

/// Whether durable writes are slower than a cache that forgets.
pub(super) fn speed(cache: Option<WriteCache>, durable: &Measured, synced: &Measured) -> Check {
    let fastest_ns = durable.latency.p50_ns.min(synced.latency.p50_ns);
    let check = Check::fit("speed", format!("median of the faster way {} ms", milliseconds(fastest_ns)));
    if cache == Some(WriteCache::Volatile) && fastest_ns < IMPLAUSIBLE_NS {
        return check.but(
            Verdict::Warning,
            "faster than a device with a volatile cache can be: it, or what is between, may answer before anything is \
             safe. Cut the power under load, and verify, before money depends on it",
        );
    }
    check
}
