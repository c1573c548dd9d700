//! The checker must not be asleep: each broken promise is found.

use super::{Ending, Model};
use crate::real::line::{Line, Placed, Sent, Stamp, Tag};
use florin_engine::model::{PartitionId, TopicId};

const PARTITION: PartitionId = PartitionId { topic: TopicId(1), index: 0 };

fn tag(serial: u32) -> Tag {
    Tag { run: 0, producer: 0, serial }
}

fn placed(serial: u32, base_offset: u64) -> Placed {
    let append_time = 1000 + base_offset;
    Placed {
        partition: PARTITION,
        base_offset,
        last_offset: base_offset + 1,
        append_time,
        crc: serial,
        tag: tag(serial),
    }
}

fn sent(serial: u32) -> Line {
    let stamp = Some(Stamp { id: 7, epoch: 0, sequence: serial * 2 });
    Line::Sent(Sent { partition: PARTITION, tag: tag(serial), crc: serial, record_count: 2, stamp })
}

fn acked(placed: Placed) -> Line {
    Line::Acked { placed, duplicate: false }
}

fn read_back(batches: &[Placed], end: u64) -> Vec<Line> {
    let mut lines: Vec<_> = batches.iter().copied().map(Line::Held).collect();
    lines.push(Line::ReadBack { partition: PARTITION, start: 0, end });
    lines
}

/// Three batches were sent; the first two were acknowledged, the second also shown.
fn after_first_run() -> Model {
    let mut model = Model::default();
    let mut lines = read_back(&[], 0);
    lines.extend([sent(0), sent(1), sent(2), acked(placed(0, 0)), Line::Seen(placed(1, 2)), acked(placed(1, 2))]);
    model.judge(0, &lines, Ending::Killed).expect("nothing is wrong");
    model
}

fn second_run(lines: &[Line]) -> Result<(), String> {
    after_first_run().judge(1, lines, Ending::Killed)
}

#[test]
fn unacked_batch_may_be_there_or_not() {
    second_run(&read_back(&[placed(0, 0), placed(1, 2)], 4)).expect("nothing is wrong");
    second_run(&read_back(&[placed(0, 0), placed(1, 2), placed(2, 4)], 6)).expect("nothing is wrong");
}

#[test]
fn lost_acked_batch_is_found() {
    assert!(second_run(&read_back(&[placed(0, 0)], 2)).is_err());
    assert!(second_run(&read_back(&[], 0)).is_err());
}

#[test]
fn moved_batch_is_found() {
    assert!(second_run(&read_back(&[placed(0, 0), placed(2, 2), placed(1, 4)], 6)).is_err());
}

#[test]
fn changed_time_or_bytes_are_found() {
    let other_time = Placed { append_time: 1003, ..placed(1, 2) };
    assert!(second_run(&read_back(&[placed(0, 0), other_time], 4)).is_err());
    let other_bytes = Placed { crc: 99, ..placed(1, 2) };
    assert!(second_run(&read_back(&[placed(0, 0), other_bytes], 4)).is_err());
}

#[test]
fn batch_stored_twice_is_found() {
    assert!(second_run(&read_back(&[placed(0, 0), placed(1, 2), placed(1, 4)], 6)).is_err());
}

#[test]
fn batch_that_nobody_sent_is_found() {
    assert!(second_run(&read_back(&[placed(0, 0), placed(1, 2), placed(9, 4)], 6)).is_err());
}

#[test]
fn gap_and_wrong_end_are_found() {
    assert!(second_run(&read_back(&[placed(0, 0), placed(1, 2), placed(2, 5)], 7)).is_err());
    assert!(second_run(&read_back(&[placed(0, 0), placed(1, 2)], 6)).is_err());
}

#[test]
fn retry_of_a_recovered_batch_must_be_a_duplicate_at_its_place() {
    let mut lines = read_back(&[placed(0, 0), placed(1, 2), placed(2, 4)], 6);
    lines.push(sent(2));
    let answered = |line: Line| second_run(&[lines.clone(), vec![line]].concat());
    answered(Line::Acked { placed: placed(2, 4), duplicate: true }).expect("nothing is wrong");
    assert!(answered(Line::Acked { placed: placed(2, 6), duplicate: true }).is_err());
    assert!(answered(acked(placed(2, 6))).is_err());
    assert!(answered(acked(placed(2, 4))).is_err());
}

#[test]
fn offset_of_a_batch_that_was_read_is_never_given_again() {
    let mut model = after_first_run();
    let first = read_back(&[placed(0, 0), placed(1, 2), placed(2, 4)], 6);
    model.judge(1, &first, Ending::Killed).expect("nothing is wrong");
    let mut other = placed(3, 4);
    other.tag.run = 2;
    let mut lines = read_back(&[placed(0, 0), placed(1, 2)], 4);
    assert!(model.clone().judge(2, &lines, Ending::Killed).is_err());
    lines = [first, vec![Line::Sent(Sent { tag: other.tag, ..stampless(3) }), acked(other)]].concat();
    assert!(model.judge(2, &lines, Ending::Killed).is_err());
}

fn stampless(serial: u32) -> Sent {
    Sent { partition: PARTITION, tag: tag(serial), crc: serial, record_count: 2, stamp: None }
}

#[test]
fn batch_that_appears_after_an_orderly_end_is_found() {
    let mut model = Model::default();
    let opened = |was_clean| Line::Opened {
        shard: 0,
        was_clean,
        epoch: 1 + u64::from(was_clean),
        last_sequence: 0,
        cut_count: 0,
        note_count: 0,
    };
    let mut lines = vec![Line::Opening { shard: 0 }, opened(false)];
    lines.extend(read_back(&[], 0));
    lines.extend([sent(0), Line::Stopped { shard: 0, clean: true }]);
    model.judge(0, &lines, Ending::Stopped).expect("nothing is wrong");
    let again = [vec![Line::Opening { shard: 0 }, opened(true)], read_back(&[placed(0, 0)], 2)].concat();
    assert!(model.judge(1, &again, Ending::Killed).is_err());
}

#[test]
fn lines_are_read_back_as_they_were_said() {
    let lines = [
        sent(3),
        Line::Sent(stampless(4)),
        acked(placed(3, 9)),
        Line::Held(placed(1, 2)),
        Line::ReadBack { partition: PARTITION, start: 0, end: 4 },
        Line::Opened { shard: 1, was_clean: true, epoch: 2, last_sequence: 3, cut_count: 4, note_count: 5 },
        Line::Refused { shard: 1, code: 5, why: "the journal is full".to_owned() },
        Line::Stopped { shard: 0, clean: false },
    ];
    for line in lines {
        assert_eq!(Line::parse(&line.to_string()), Some(line));
    }
}
