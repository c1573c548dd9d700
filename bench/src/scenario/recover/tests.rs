use std::cell::RefCell;

use clap::Parser;
use florin_engine::model::{Offset, PartitionId, TopicId};
use florin_net::protocol::ShardDescription;

use super::fill::{Filling, Receipt, Until, load};
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
        ring: Ring { files: Vec::new(), file_bytes: 4096, block_count: 1, block_bytes: 4096 },
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
    let filling =
        Filling { connections: 2, in_flight: 2, batch_records: 3, batch_count_max: 40, until: Until::BatchCount };
    let filled = load(&server.address(0), &payloads, &filling, &|_| {}).unwrap();
    assert_eq!((filled.receipts.len(), filled.tally.total(), filled.sent_records), (40, 120, 120));
    assert_eq!(filled.journal_full_count, 2);
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
    };
    let filled = load(&server.address(0), &payloads, &filling, &|_| *said.borrow_mut() += 1).unwrap();
    assert!(!filled.receipts.is_empty() && filled.sent_records >= filled.tally.total());
}

#[test]
fn a_ring_of_small_blocks_has_two_files_and_the_others_are_as_they_were_asked_for() {
    let arguments = arguments("--journal-files 4 --journal-file-bytes 64MiB");
    let run = Run::new(&arguments).unwrap();
    let of = |point| {
        let settings = run.server(point, "data".into());
        (settings.journal_files, settings.journal_file_bytes)
    };
    assert_eq!(of(RecoverPoint::FullRing), (4, 64 << 20));
    assert_eq!(of(RecoverPoint::AtRest), (4, 64 << 20));
    assert_eq!(of(RecoverPoint::FullRingSmall), (2, 128 << 20));
}

#[test]
fn a_journal_is_filled_up_to_what_a_start_needs_for_itself() {
    let arguments = arguments("--journal-files 4 --journal-file-bytes 64MiB --at-rest-bytes 1MiB");
    let run = Run::new(&arguments).unwrap();
    let filling = |point| run.filling(point, &run.server(point, "data".into())).1;
    assert_eq!(filling(RecoverPoint::FullRing).until, Until::UsedBytes((3 * 64 - 4) << 20));
    let small = filling(RecoverPoint::FullRingSmall);
    assert_eq!((small.connections, small.in_flight, small.batch_records), (1, 1, 1));
    assert_eq!(small.until, Until::UsedBytes(126 << 20));
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
    assert!(point.rounds[0].numbers.contains(&("bound_ms", Some(600.0))));
}

#[test]
fn points_and_sizes_are_checked_before_anything_starts() {
    assert_eq!(arguments("--points at_rest").points, [RecoverPoint::AtRest]);
    assert_eq!(arguments("").points.len(), 3);
    assert_eq!(arguments("").at_rest_bytes, 20 << 30);
    let words = ["florin-bench", "recover", "--points", "half_ring"];
    assert!(Cli::try_parse_from(words).is_err());
    let error = super::run(&arguments("--server a:1")).unwrap_err().to_string();
    assert!(error.contains("leave --server away"), "{error}");
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
