use std::time::Duration;

use florin_engine::model::{Offset, Realtime};
use florin_net::client::Start;

use super::From;
use crate::duration::Span;

#[test]
fn words_offsets_and_times_are_told_apart() {
    let second = 1_000_000_000;
    let known = [
        ("beginning", From::Beginning),
        ("end", From::End),
        ("0", From::Offset(0)),
        ("1767323045", From::Offset(1_767_323_045)),
        ("@1767323045", From::Time(Realtime(1_767_323_045 * second))),
        ("2026-01-02T03:04:05Z", From::Time(Realtime(1_767_323_045 * second))),
        ("2026-01-02T04:04:05.000000001+01:00", From::Time(Realtime(1_767_323_045 * second + 1))),
        ("-10m", From::Ago(Span(Duration::from_secs(600)))),
        ("timestamp:1767323045123", From::Timestamp(1_767_323_045_123)),
        ("timestamp:@1767323045", From::Timestamp(1_767_323_045_000)),
        ("timestamp:@-1", From::Timestamp(-1000)),
        ("timestamp:2026-01-02T03:04:05Z", From::Timestamp(1_767_323_045_000)),
        ("timestamp:2026-01-02T03:04:05.000000001Z", From::Timestamp(1_767_323_045_001)),
        ("timestamp:1969-12-31T23:59:59.9985Z", From::Timestamp(-1)),
        ("timestamp:-10m", From::TimestampAgo(Span(Duration::from_secs(600)))),
    ];
    for (text, expected) in known {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }
}

#[test]
fn other_texts_are_refused_with_examples() {
    for text in ["", "start", "2026-01-02", "2026-01-02T03:04:05", "yesterday", "+5"] {
        assert!(text.parse::<From>().expect_err(text).contains("such as -10m"), "{text}");
    }
    assert!("-10".parse::<From>().expect_err("no unit").contains("is no duration"));
    assert!("@".parse::<From>().expect_err("nothing").contains("whole seconds"));
    assert!("@99999999999".parse::<From>().expect_err("too late").contains("whole seconds"));
    assert!("99999999999999999999".parse::<From>().expect_err("too high").contains("highest offset"));
    for text in ["timestamp:", "timestamp:end", "timestamp:2026-01-02"] {
        assert!(text.parse::<From>().expect_err(text).contains("is no timestamp"), "{text}");
    }
    assert!("timestamp:-10".parse::<From>().expect_err("no unit").contains("is no duration"));
    assert!("timestamp:@".parse::<From>().expect_err("nothing").contains("whole seconds"));
    assert!("timestamp:9223372036854775808".parse::<From>().expect_err("too high").contains("highest timestamp"));
    assert!("1969-12-31T23:59:59Z".parse::<From>().expect_err("too early").contains("from 1970"));
}

#[test]
fn an_offset_needs_exactly_one_partition() {
    let start = |from: From, partitions| from.start(Realtime(1_000_000_000), partitions);
    assert!(matches!(start(From::Offset(5), 1), Ok(Start::Offset(Offset(5)))));
    for partitions in [0, 2] {
        let problem = start(From::Offset(5), partitions).expect_err("refused").to_string();
        assert!(problem.contains("exactly one with --partition"), "{problem}");
    }
    assert!(matches!(start(From::Beginning, 0), Ok(Start::Beginning)));
    let ago = |seconds| From::Ago(Span(Duration::from_secs(seconds)));
    assert!(matches!(start(ago(1), 0), Ok(Start::Time(Realtime(0)))));
    assert!(matches!(start(ago(2), 0), Ok(Start::Time(Realtime(0)))), "before 1970 there is nothing");
    assert!(matches!(start(From::Timestamp(-5), 0), Ok(Start::Timestamp(-5))));
    let ago = From::TimestampAgo(Span(Duration::from_secs(2)));
    assert!(matches!(start(ago, 0), Ok(Start::Timestamp(-1000))), "records can have such timestamps");
}
