//! What is made of what was found, without a disk.

use std::io;

use florin_engine::io::fitness::{
    DirectAlignment, DirectIo, FileSystem, FreeSpace, Unfit, Warning as FileSystemWarning, WriteCache,
};
use florin_engine::io::glommio::{LockedMemory, StartError};

use super::finding::{Check, Report, Verdict};
use super::judge;
use super::measure::Measured;
use crate::latency::LatencySummary;

const VOLATILE: Option<WriteCache> = Some(WriteCache::Volatile);
const SHARD_BYTES: u64 = 352 << 20;

fn measured(p50_ns: u64, write_count: u64, flush_count: Option<u64>) -> Measured {
    let latency = LatencySummary { p50_ns, p99_ns: 2 * p50_ns, p999_ns: 3 * p50_ns, max_ns: 4 * p50_ns };
    Measured { measurement: "direct", write_count, flush_count, latency }
}

#[test]
fn a_file_system_is_judged_as_format_does() {
    let judged = |kind, found| judge::file_system(Ok(kind), found).verdict;
    assert_eq!(judged(FileSystem::Ext4, Ok(vec![])), Verdict::Fit);
    let warnings = vec![FileSystemWarning::CopyOnWrite(FileSystem::Btrfs)];
    assert_eq!(judged(FileSystem::Btrfs, Ok(warnings)), Verdict::Warning);
    let refused = judge::file_system(Ok(FileSystem::Btrfs), Err(Unfit::CopyOnWrite(FileSystem::Btrfs)));
    assert_eq!((refused.verdict, refused.value.as_str()), (Verdict::Unfit, "btrfs"));
    assert!(refused.advice.expect("what to do").contains("--allow-cow"));
    assert_eq!(judged(FileSystem::Tmpfs, Err(Unfit::Volatile(FileSystem::Tmpfs))), Verdict::Unfit);
    assert_eq!(judged(FileSystem::Ext4, Err(Unfit::NoBarrier)), Verdict::Unfit);
    let failed = || Unfit::Failed { doing: "statfs", detail: "Input/output error".to_owned() };
    assert_eq!(judge::file_system(Err(failed()), Err(failed())).verdict, Verdict::CannotTell);
}

#[test]
fn direct_io_is_needed_unless_it_is_given_up() {
    let known = DirectAlignment::Known { memory_bytes: 512, position_bytes: 4096 };
    let fit = judge::direct_io(Ok(Some(known)), DirectIo::Required);
    assert_eq!(fit.verdict, Verdict::Fit);
    assert!(fit.value.contains("512") && fit.value.contains("4096"), "{}", fit.value);
    let missing = || Err(Unfit::NoDirectIo { detail: "open: EINVAL".to_owned() });
    assert_eq!(judge::direct_io(missing(), DirectIo::Required).verdict, Verdict::Unfit);
    assert_eq!(judge::direct_io(missing(), DirectIo::Off).verdict, Verdict::Warning);
    assert_eq!(judge::direct_io(Err(Unfit::Alignment { bytes: 65536 }), DirectIo::Required).verdict, Verdict::Unfit);
    let memory = Err(Unfit::Volatile(FileSystem::Tmpfs));
    assert_eq!(judge::direct_io(memory, DirectIo::Required).verdict, Verdict::CannotTell);
}

#[test]
fn preallocation_that_is_not_offered_is_unfit_and_one_that_fails_is_not_known() {
    let failed = |errno: rustix::io::Errno| judge::preallocation(Err(io::Error::from(errno))).verdict;
    assert_eq!(judge::preallocation(Ok(())).verdict, Verdict::Fit);
    assert_eq!(failed(rustix::io::Errno::OPNOTSUPP), Verdict::Unfit);
    assert_eq!(failed(rustix::io::Errno::NOSPC), Verdict::Unfit);
    assert_eq!(failed(rustix::io::Errno::IO), Verdict::CannotTell);
}

#[test]
fn space_is_held_against_what_a_new_directory_takes() {
    let free = |bytes, files| Ok(FreeSpace { bytes, files });
    let judged = |bytes, files| judge::space(free(bytes, files), 4, false).verdict;
    assert_eq!(judged(4 * SHARD_BYTES, None), Verdict::Fit);
    assert_eq!(judged(4 * SHARD_BYTES - 1, None), Verdict::Warning);
    assert_eq!(judged(SHARD_BYTES - 1, None), Verdict::Unfit);
    assert_eq!(judged(4 * SHARD_BYTES, Some(80)), Verdict::Fit);
    assert_eq!(judged(4 * SHARD_BYTES, Some(79)), Verdict::Warning);
    assert_eq!(judged(4 * SHARD_BYTES, Some(3)), Verdict::Unfit);
    assert_eq!(judge::space(free(256 << 20, None), 4, true).verdict, Verdict::Fit, "allocated already");
    assert_eq!(judge::space(free(1, None), 4, true).verdict, Verdict::Warning);
    assert_eq!(judge::space(Err(io::Error::other("lost")), 4, false).verdict, Verdict::CannotTell);
    assert!(judge::space(free(1 << 40, Some(1000)), 1, false).value.contains("1 shard as by default take 352MiB"));
}

#[test]
fn limits_of_the_host_are_judged_as_a_start_does() {
    let limit = |limit_bytes| judge::locked_memory(Ok(LockedMemory { limit_bytes, wanted_bytes: 1 << 20 })).verdict;
    assert_eq!(
        (limit(None), limit(Some(1 << 20)), limit(Some(1 << 19))),
        (Verdict::Fit, Verdict::Fit, Verdict::Warning)
    );
    let too_little = StartError::LockedMemory { limit_bytes: 1, needed_bytes: 2, wanted_bytes: 3 };
    let check = judge::locked_memory(Err(too_little));
    assert_eq!(check.verdict, Verdict::Unfit);
    assert!(check.advice.expect("what to do").contains("ulimit -l"));
    assert_eq!(judge::io_uring(Ok(())).verdict, Verdict::Fit);
    let check = judge::io_uring(Err(StartError::IoUringDisabled { value: "2".to_owned() }));
    assert_eq!(check.verdict, Verdict::Unfit);
    assert!(check.advice.expect("what to do").contains("sysctl kernel.io_uring_disabled=0"));
}

#[test]
fn a_volatile_cache_that_is_never_flushed_is_unfit() {
    let judged = |fua, durable, synced| {
        let (durable, synced) = (measured(100_000, 100, durable), measured(100_000, 100, synced));
        judge::flushes(VOLATILE, Some(fua), &durable, &synced).verdict
    };
    assert_eq!(judged(false, Some(100), Some(101)), Verdict::Fit);
    assert_eq!(judged(false, Some(0), Some(100)), Verdict::Unfit, "without FUA a durable write is flushed");
    assert_eq!(judged(true, Some(0), Some(100)), Verdict::Fit, "with FUA it passes the cache by");
    assert_eq!(judged(true, Some(0), Some(0)), Verdict::Unfit);
    assert_eq!(judged(false, Some(100), Some(40)), Verdict::Warning);
    assert_eq!(judged(false, None, None), Verdict::Warning, "nobody counts");
    let any = measured(100_000, 100, Some(0));
    assert_eq!(judge::flushes(Some(WriteCache::None), Some(false), &any, &any).verdict, Verdict::Fit);
    assert_eq!(judge::flushes(None, None, &any, &any).verdict, Verdict::Warning);
}

#[test]
fn durable_writes_that_are_too_fast_or_slow_are_worth_a_warning_and_no_more() {
    let slow = measured(100_000, 10, None);
    let fast = measured(8_000, 10, None);
    assert_eq!(judge::speed(VOLATILE, &slow, &slow).verdict, Verdict::Fit);
    assert_eq!(judge::speed(VOLATILE, &slow, &fast).verdict, Verdict::Warning);
    assert_eq!(
        judge::speed(Some(WriteCache::None), &fast, &fast).verdict,
        Verdict::Fit,
        "a cache that survives is fast"
    );
    assert_eq!(judge::durable_write(&measured(11_000_000, 10, None)).verdict, Verdict::Warning);
    assert_eq!(judge::durable_write(&measured(9_000_000, 10, None)).verdict, Verdict::Fit);
    let words = judge::durable_write(&measured(150_000, 1234, None)).value;
    assert_eq!(words, "4 KiB overwritten past the page cache: p50 0.15 ms, p99 0.30 ms, max 0.60 ms of 1,234 writes");
}

#[test]
fn the_heaviest_check_decides_and_not_knowing_weighs_less_than_knowing() {
    let report = |verdicts: &[Verdict]| {
        let checks = verdicts.iter().map(|verdict| Check::fit("space", "x").but(*verdict, "advice")).collect();
        Report::new("there".as_ref(), None, checks, Vec::new())
    };
    use Verdict::{CannotTell, Fit, Unfit, Warning};
    assert_eq!(report(&[Fit, Fit]).verdict, Fit);
    assert_eq!(report(&[Fit, Warning]).verdict, Warning);
    assert_eq!(report(&[Warning, CannotTell]).verdict, CannotTell);
    assert_eq!(report(&[Unfit, CannotTell]).verdict, Unfit);
    let text = report(&[Fit, Unfit]).text();
    assert!(text.starts_with("there: UNFIT for a data directory\n") && text.contains("advice"), "{text}");
}
