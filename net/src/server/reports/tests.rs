use florin_engine::io::{DiskErrorKind, DiskOperation};
use florin_engine::model::{Offset, SegmentId, TopicId};

use super::*;

fn error() -> DiskError {
    let (operation, kind) = (DiskOperation::Write, DiskErrorKind::Failed);
    DiskError { operation, path: "segment".into(), position: None, kind, detail: String::new() }
}

#[test]
fn a_few_lines_of_a_window_are_written_and_the_next_one_says_how_many_were_left_out() {
    let throttle = Throttle::default();
    let begun = Monotonic(5 * LOG_WINDOW_NS);
    for _ in 0..LOG_LINES_PER_WINDOW {
        assert_eq!(throttle.admit(begun), Some(0));
    }
    let last = begun.plus_ns(LOG_WINDOW_NS - 1);
    assert_eq!([throttle.admit(begun), throttle.admit(last)], [None, None]);
    let next = begun.plus_ns(LOG_WINDOW_NS);
    assert_eq!([throttle.admit(next), throttle.admit(next)], [Some(2), Some(0)]);
}

#[test]
fn the_first_line_of_a_process_is_written_whatever_the_clock_shows() {
    assert_eq!(Throttle::default().admit(Monotonic(0)), Some(0));
    assert_eq!(Throttle::default().admit(Monotonic(u64::MAX)), Some(0));
}

#[test]
fn everything_is_counted_also_what_is_left_out_of_the_log() {
    let (log, counters, shard) = (ShardLog::default(), ShardCounters::default(), ShardId(3));
    let partition = PartitionId { topic: TopicId(7), index: 1 };
    let now = Monotonic(1);
    let (from, to) = (Offset(1), Offset(5));
    let segment = SegmentId(9);
    let cut = CutReport { partition, from, to, bytes: 100, reason: CutReason::Age };
    let damaged = Report::Damaged { partition, segment, from, to, count: 1, why: "a flipped bit".to_owned() };
    let unread = Report::ReadFailed { partition, segment, error: error() };
    let rounds = u64::from(LOG_LINES_PER_WINDOW) + 5;
    for _ in 0..rounds {
        log.cut(shard, &cut, &counters, now);
        log.segment_stays(shard, &error(), &counters, now);
        log.journal_full(shard, &counters, now);
        for report in
            [&damaged, &unread, &Report::SegmentWriteFailed(error()), &Report::CheckpointFailed(String::new())]
        {
            log.report(shard, report, &counters, now);
        }
    }
    let counted = [
        &counters.cuts,
        &counters.segments_that_stay,
        &counters.journal_full,
        &counters.damaged_reads,
        &counters.failed_reads,
        &counters.failed_segment_writes,
        &counters.failed_checkpoints,
    ];
    assert!(counted.iter().all(|counter| counter.get() == rounds), "{counters:?}");
    assert_eq!(counters.cut_bytes.get(), 100 * rounds);
}
