use std::path::Path;
use std::time::Duration;

use super::{DiskFloor, LargeFile, LargeWrites, Loopback, READ_BYTES, folder, poll_round_trips, read_once, stream};

const SHORT: Duration = Duration::from_millis(20);

#[test]
fn memory_is_refused_with_a_reason() {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        let refused = DiskFloor::prepare(memory).unwrap_err().to_string();
        assert!(refused.contains("tmpfs") && refused.contains("memory"), "{refused}");
        let refused = LargeFile::prepare(memory).unwrap_err().to_string();
        assert!(refused.contains("tmpfs") && refused.contains("memory"), "{refused}");
    }
}

#[test]
fn a_disk_gives_latencies_and_keeps_no_file() {
    // Where this program was built is on a disk.
    let own = std::env::current_exe().unwrap();
    let home = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
    let mut floor = DiskFloor::prepare(home.path()).unwrap();
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    let (first, second) = (floor.run(SHORT, None).unwrap(), floor.run(SHORT, None).unwrap());
    assert!(first.latencies.count() > 0 && second.latencies.count() > 0);
}

#[test]
fn a_loopback_gives_latencies_round_by_round() {
    let mut loopback = Loopback::start(None).unwrap();
    for _ in 0..2 {
        assert!(loopback.run(SHORT, None).unwrap().latencies.count() > 0);
    }
}

#[test]
fn a_folder_is_made_in_a_directory_that_exists_and_goes_away() {
    let home = tempfile::tempdir().unwrap();
    let made = folder(Some(home.path()), "test").unwrap();
    let path = made.path().to_owned();
    assert!(path.is_dir() && path.starts_with(home.path()));
    drop(made);
    assert!(!path.exists());
    assert!(folder(Some(&home.path().join("absent")), "test").is_err());
}

#[test]
fn large_pieces_are_written_and_read_and_counted() {
    let own = std::env::current_exe().unwrap();
    let home = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
    let file = LargeFile::prepare(home.path()).unwrap();
    let written = file.overwrite(4 << 20, SHORT, None).unwrap();
    assert_eq!(written.bytes, written.latencies.count() * (4 << 20));
    assert!(written.mb_per_second() > 0.0);
    let read = file.read(SHORT, None).unwrap();
    assert_eq!(read.bytes, read.latencies.count() * READ_BYTES as u64);
    let floors = LargeWrites::measure(&file, SHORT, None).unwrap();
    assert!(floors.write_1m_mb_per_second > 0.0 && floors.write_4m_mb_per_second > 0.0, "{floors:?}");
    let entries = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap());
    let files: Vec<_> = entries.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect();
    assert!(!read_once(&files).unwrap().is_zero());
    let gone = [(home.path().join("gone"), 4096)];
    assert!(format!("{:#}", read_once(&gone).unwrap_err()).contains("gone"));
}

#[test]
fn large_writes_before_and_after_count_alike_and_a_round_is_held_against_its_own() {
    let floors = |small, large| LargeWrites { write_1m_mb_per_second: small, write_4m_mb_per_second: large };
    assert_eq!(floors(100.0, 300.0).mean(&floors(200.0, 100.0)), floors(150.0, 200.0));
    let named = [("floor_write_1m_mb_per_second", Some(150.0)), ("floor_write_4m_mb_per_second", Some(200.0))];
    assert_eq!(floors(150.0, 200.0).numbers(), named);
    // The machine was twice as fast in the second round, and so were we.
    let rounds = [floors(100.0, 200.0), floors(200.0, 400.0)];
    let ratios = LargeWrites::ratios(["small", "large"], &[60.0, 120.0], &rounds, 0.5);
    let found: Vec<(&str, usize)> = ratios.iter().map(|(name, ratio)| (*name, ratio.rounds)).collect();
    assert_eq!(found, [("small", 2), ("large", 2)]);
    for ((_, ratio), expected) in ratios.iter().zip([1.2, 0.6]) {
        let ends = [ratio.low, ratio.median, ratio.high];
        assert!(ends.iter().all(|end| (end - expected).abs() < 1e-9), "{ratio:?}");
    }
    assert!(LargeWrites::ratios(["small", "large"], &[60.0], &rounds, 1.0).is_empty(), "a round has no floor");
}

#[test]
fn two_ends_that_poll_answer_each_other_and_end() {
    if std::thread::available_parallelism().unwrap().get() > 1 {
        for _ in 0..2 {
            assert!(poll_round_trips(SHORT, None, None).unwrap().latencies.count() > 0);
        }
    }
    let error = format!("{:#}", poll_round_trips(SHORT, Some(usize::MAX), None).unwrap_err());
    assert!(error.contains("cannot be used"), "{error}");
    let error = format!("{:#}", poll_round_trips(SHORT, None, Some(usize::MAX)).unwrap_err());
    assert!(error.contains("cannot be used"), "{error}");
}

#[test]
fn what_is_streamed_arrives_in_full() {
    let sample = stream(SHORT, None, None).unwrap();
    assert!(sample.bytes > 0 && sample.bytes.is_multiple_of(super::PIECE_BYTES as u64), "{sample:?}");
}
