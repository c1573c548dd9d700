use std::cell::RefCell;

use clap::Parser;
use florin_engine::model::{Offset, PartitionId, TopicId};
use florin_net::protocol::ShardDescription;

use super::fill::{Filling, Receipt, Until, Wanted, load};
use super::restart::{Restart, sample};
use super::{Measured, Run};
use crate::cli::{Cli, Command, RecoverArguments, RecoverPoint};
use crate::client::fake_server::FakeServer;
use crate::client::payload::{PayloadKind, Payloads};
use crate::watch::ring::Ring;

fn arguments(line: &str) -> RecoverArguments {
    let words = ["florin-bench", "recover"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Recover(arguments) => arguments,
        other => panic!("a recovery was asked for, not {other:?}"),
    }
}

fn restart(ready_ms: f64, floor_read_ms: f64) -> Restart {
    Restart {
        ready_ms,
        first_ack_ms: ready_ms + 1.0,
        retry_count: 0,
        floor_read_ms,
        ring: Ring { bytes: 16_384, files: Vec::new(), file_bytes: 8192, block_count: 1, block_bytes: 4096 },
        stored_bytes: 0,
        acknowledged_records: 1,
        unacknowledged_records: 0,
        journal_full_count: 0,
    }
}

#[test]
fn a_server_is_filled_until_its_batches_are_stored_and_every_one_has_a_receipt() {
    let server = FakeServer::start(1);
    server.with_state(|state| state.full_count = 2);
    let payloads = Payloads::build(&PayloadKind::Random, 20, 3).unwrap();
    let filling = Filling {
        connections: 2,
        in_flight: 2,
        batch_records: 3,
        batch_count_max: 40,
        until: Until::BatchCount,
        on_full_disk: false,
    };
    let filled = load(&server.address(0), &payloads, &filling, &|_| {}).unwrap();
    assert_eq!((filled.receipts.len(), filled.tally.total(), filled.sent_records), (40, 120, 120));
    assert_eq!((filled.journal_full_count, filled.is_full), (2, false));
    server.with_state(|state| {
        for receipt in &filled.receipts {
            let log = &state.logs[&receipt.partition];
            assert!(log.batches.contains(&(receipt.base_offset.0, payloads.batch(receipt.batch).clone())));
        }
    });
}

#[test]
fn a_server_whose_journal_is_full_enough_is_left_under_way() {
    let server = FakeServer::start(1);
    server.with_state(|state| {
        state.shard = ShardDescription { journal_used_bytes: 900, ..ShardDescription::default() };
    });
    let payloads = Payloads::build(&PayloadKind::Random, 20, 1).unwrap();
    let said = RefCell::new(0);
    let filling = Filling {
        connections: 1,
        in_flight: 1,
        batch_records: 1,
        batch_count_max: u64::MAX,
        until: Until::UsedBytes(900),
        on_full_disk: false,
    };
    let filled = load(&server.address(0), &payloads, &filling, &|_| *said.borrow_mut() += 1).unwrap();
    assert!(!filled.receipts.is_empty() && filled.sent_records >= filled.tally.total() && filled.is_full);
}

#[test]
fn a_server_that_takes_nothing_any_more_is_full_all_the_same() {
    let server = FakeServer::start(1);
    let payloads = Payloads::build(&PayloadKind::Random, 20, 1).unwrap();
    let filling = Filling {
        connections: 1,
        in_flight: 1,
        batch_records: 1,
        batch_count_max: u64::MAX,
        until: Until::UsedBytes(900),
        on_full_disk: true,
    };
    let filled = std::thread::scope(|scope| {
        let filled = scope.spawn(|| load(&server.address(0), &payloads, &filling, &|_| {}));
        while server.with_state(|state| state.captured_count) == 0 {
            std::thread::yield_now();
        }
        server.with_state(|state| {
            state.full_count = u64::MAX;
            state.shard = ShardDescription { journal_used_bytes: 900, ..ShardDescription::default() };
        });
        filled.join().unwrap().unwrap()
    });
    assert!(filled.is_full && !filled.receipts.is_empty());
}

#[test]
fn a_journal_that_the_load_does_not_fill_is_left_when_it_is_as_full_as_it_was_before() {
    let mut wanted = Wanted { until: Until::Fullest(1000), highest: 0 };
    for used in [100, 640, 300] {
        assert!(!wanted.is_reached(used, false), "{used}");
    }
    assert!(!wanted.is_reached(629, true) && wanted.is_reached(630, true) && wanted.is_reached(700, true));
    assert!(wanted.is_reached(1000, false), "it is full in the first half");
    let mut wanted = Wanted { until: Until::UsedBytes(1000), highest: 0 };
    assert!(!wanted.is_reached(999, false) && !wanted.is_reached(999, true) && wanted.is_reached(1000, false));
    let mut wanted = Wanted { until: Until::BatchCount, highest: 0 };
    assert!(!wanted.is_reached(u64::MAX, true));
}

#[test]
fn a_ring_of_small_blocks_that_come_to_rest_has_two_files_and_the_others_are_as_they_were_asked_for() {
    let arguments = arguments("--journal-files 4 --journal-file-bytes 64MiB");
    let run = Run::new(&arguments).unwrap();
    let of = |point| {
        let settings = run.server(point, "data".into());
        (settings.journal_files, settings.journal_file_bytes)
    };
    assert_eq!(of(RecoverPoint::FullRing), (4, 64 << 20));
    assert_eq!(of(RecoverPoint::AtRest), (4, 64 << 20));
    assert_eq!((of(RecoverPoint::FullDisk), of(RecoverPoint::FullDiskSmall)), ((4, 64 << 20), (4, 64 << 20)));
    assert_eq!(of(RecoverPoint::HalfRingSmall), (2, 128 << 20));
}

#[test]
fn a_journal_is_filled_until_it_is_about_to_refuse_batches() {
    let arguments = arguments("--journal-files 4 --journal-file-bytes 64MiB --at-rest-bytes 1MiB");
    let run = Run::new(&arguments).unwrap();
    let filling = |point| run.filling(point, &run.server(point, "data".into())).1;
    // An eighth of a file is a reserve, and another sixteenth is left so that nothing is refused.
    assert_eq!(filling(RecoverPoint::FullRing).until, Until::Fullest((4 * 64 - 8 - 4) << 20));
    assert_eq!(filling(RecoverPoint::FullDisk).until, Until::UsedBytes((4 * 64 - 8 - 4) << 20));
    for point in RecoverPoint::ALL {
        let filling = filling(point);
        let shape = (filling.connections, filling.in_flight, filling.batch_records);
        assert_eq!(shape, if point.is_small() { (1, 1, 1) } else { (4, 4, 1000) }, "{}", point.name());
        assert_eq!(filling.on_full_disk, point.is_on_full_disk(), "{}", point.name());
    }
    let full = filling(RecoverPoint::FullDiskSmall);
    assert_eq!((full.until, full.batch_count_max), (Until::UsedBytes((4 * 64 - 8 - 4) << 20), 4 * (64 << 20) / 4096));
    assert_eq!(filling(RecoverPoint::HalfRingSmall).until, Until::UsedBytes(126 << 20));
    assert_eq!(filling(RecoverPoint::AtRest).until, Until::BatchCount);
    assert!(filling(RecoverPoint::AtRest).batch_count_max >= 3);
}

#[test]
fn a_sample_has_batches_of_all_parts_and_the_last_one_of_every_partition() {
    let receipt = |number: usize| Receipt {
        partition: PartitionId { topic: TopicId(1), index: u32::from(number >= 990) },
        base_offset: Offset(number as u64),
        batch: number,
    };
    let receipts: Vec<Receipt> = (0..1000).map(receipt).collect();
    let chosen: Vec<usize> = sample(&receipts).iter().map(|receipt| receipt.batch).collect();
    assert!(chosen.len() >= 60 && chosen.len() <= 70, "{}", chosen.len());
    assert!([0, 989, 999].iter().all(|number| chosen.contains(number)), "{chosen:?}");
    assert_eq!(sample(&receipts[..1]).len(), 2);
    assert!(sample(&[]).is_empty());
}

#[test]
fn a_start_is_held_against_what_reading_its_files_takes() {
    let arguments = arguments("");
    let run = Run::new(&arguments).unwrap();
    let restarts = vec![restart(500.0, 200.0), restart(900.0, 400.0)];
    let point = run.point(&Measured { point: RecoverPoint::FullRing, restarts, kept: None });
    let ratio = |name: &str| point.ratios.iter().find(|(known, _)| *known == name).unwrap().1.median;
    assert!((ratio("ratio_floor_read") - (2.5 + 2.25) / 2.0).abs() < 1e-9);
    assert!((ratio("ratio_bound") - (500.0 / 600.0 + 900.0 / 900.0) / 2.0).abs() < 1e-9);
    assert!(point.labels.contains(&("start", "full_ring".into())));
    let numbers = &point.rounds[0].numbers;
    assert!(numbers.contains(&("bound_ms", Some(600.0))));
    let read = [("ring_bytes", 16_384.0), ("ring_bytes_read", 8192.0), ("ring_bytes_replayed", 4096.0)];
    assert!(read.into_iter().all(|(name, bytes)| numbers.contains(&(name, Some(bytes)))), "{numbers:?}");
    assert!(numbers.contains(&("ring_share_replayed", Some(0.25))));
}

#[test]
fn what_was_done_before_a_start_is_said_of_the_points_that_are_measured() {
    let arguments = arguments("--points half_ring_small,at_rest");
    let said = Run::new(&arguments).unwrap().conditions();
    assert!(said.contains("half_ring_small: a crash with one of two ring files full"), "{said}");
    assert!(said.contains("at_rest: a stop in order") && !said.contains("full_ring:"), "{said}");
}

#[test]
fn the_space_of_a_disk_that_was_not_named_is_not_taken() {
    for name in ["full_disk", "full_disk_small"] {
        let error = super::run(&arguments(&format!("--points at_rest,{name}"))).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("nobody else uses with --data"), "{error}");
        arguments(&format!("--points {name} --data .")).expect_named_disk().unwrap();
    }
    let usual = arguments("").points;
    assert!(usual.iter().all(|point| !point.is_on_full_disk()), "{usual:?}");
}

#[test]
fn points_and_sizes_are_checked_before_anything_starts() {
    assert_eq!(arguments("--points at_rest").points, [RecoverPoint::AtRest]);
    assert_eq!(arguments("").points.len(), 3);
    assert_eq!(arguments("").at_rest_bytes, 20 << 30);
    let words = ["florin-bench", "recover", "--points", "half_ring"];
    assert!(Cli::try_parse_from(words).is_err());
    let home = tempfile::tempdir().unwrap();
    let large = arguments("--at-rest-bytes 524288GiB");
    let error = Run::new(&large).unwrap().check_space(home.path()).unwrap_err().to_string();
    assert!(error.contains("smaller sizes") && error.contains("--data"), "{error}");
    let error = super::run(&arguments("--client-core 0")).unwrap_err().to_string();
    assert!(error.contains("leave --client-core away"), "{error}");
    for line in ["--at-rest-bytes 1073741824GiB", "--journal-file-bytes 2GiB"] {
        let words = ["florin-bench", "recover"].into_iter().chain(line.split_whitespace());
        assert!(Cli::try_parse_from(words).is_err(), "{line}");
    }
}
