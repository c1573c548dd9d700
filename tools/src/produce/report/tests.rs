use std::time::Duration;

use florin_engine::model::{Offset, Realtime};
use florin_net::client::{Receipt, SendError};
use florin_net::protocol::{Code, ErrorResponse};

use super::{Lines, Report, Stop};

fn receipt(duplicate: bool) -> Receipt {
    let latency = Duration::from_millis(2);
    Receipt { partition: 0, offset: Offset(1), append_time: Realtime(1), duplicate, latency }
}

fn failed() -> Report {
    let mut report = Report::new();
    report.elapsed = Duration::from_millis(1500);
    report.lines_read = 12;
    report.stored(10, &receipt(false));
    report.stored(10, &receipt(true));
    report.stored_without_receipt(10);
    let full = SendError::Refused(ErrorResponse::new(Code(5), "the journal of shard 0 is full"));
    let unknown = SendError::OutcomeUnknown { reason: "the connection broke".to_owned() };
    [4, 5, 6].iter().for_each(|line| report.failed(*line, &full));
    [7, 9].iter().for_each(|line| report.failed(*line, &unknown));
    report.failed(10, &SendError::TimedOut);
    report.bad_line(11, "has 1 column".to_owned());
    report.stop = Some(Stop::Failure);
    report
}

#[test]
fn a_complete_input_is_summed_up_in_four_lines() {
    let mut report = Report::new();
    report.elapsed = Duration::from_millis(500);
    (0..1000).for_each(|_| report.stored(100, &receipt(false)));
    assert!(report.is_complete());
    let expected = "stored       1,000 records in topic payments, 97.7KiB\n\
         took         0.500 s, 2,000 records/s, 195.3KiB/s\n\
         ack latency  p50 2.00 ms, p99 2.00 ms, p99.9 2.00 ms, max 2.00 ms\n\
         duplicates   0 of the stored: they were there already, and are not stored twice\n";
    assert_eq!(report.in_words("payments"), expected);
}

#[test]
fn failures_are_told_apart_by_what_is_known_and_listed_by_line() {
    let report = failed();
    assert!(!report.is_complete());
    let text = report.in_words("payments");
    for words in [
        "stored       3 records",
        "duplicates   1",
        "no receipt   1 of the stored",
        "BAD INPUT    1 line is no record: line 11",
        "REFUSED      3 records, lines 4-6\n  journal_full (5): try again later\n",
        "OUTCOME UNKNOWN 2 records, lines 7, 9\n",
        "florin consume payments",
        "NEVER SENT   1 record, line 10\n",
        "STOPPED      behind line 12 because records are not stored",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
}

#[test]
fn the_same_account_is_given_in_json() {
    let report = failed();
    let document = serde_json::to_value(report.document("payments")).expect("a document is JSON");
    assert_eq!((&document["stored_count"], &document["elapsed_ms"]), (&3.into(), &1500.into()));
    let failures = document["failures"].as_array().expect("a list");
    let outcomes: Vec<_> = failures.iter().map(|failure| failure["outcome"].as_str().expect("a word")).collect();
    assert_eq!(outcomes, ["refused", "never_sent", "outcome_unknown"]);
    assert_eq!(failures[0]["code"], 5);
    assert_eq!(failures[2]["lines"], serde_json::json!([[7, 7], [9, 9]]));
    assert_eq!(document["stopped_by"], "failure");
}

#[test]
fn bad_lines_that_were_skipped_make_the_input_incomplete() {
    let mut report = Report::new();
    report.bad_line(3, "is no record".to_owned());
    assert!(!report.is_complete() && !report.has_failures());
}

#[test]
fn lines_are_gathered_into_ranges() {
    let mut lines = Lines::default();
    [1, 2, 3, 7, 9, 10].into_iter().for_each(|line| lines.add(line));
    assert_eq!(lines.0, [(1, 3), (7, 7), (9, 10)]);
    assert_eq!(lines.in_words(), "lines 1-3, 7, 9-10");
}
