//! The judge must not be asleep: each broken promise is found, and called by its name.

use std::collections::BTreeSet;

use bytes::Bytes;
use florin_engine::format::batch;
use florin_engine::model::{Offset, PartitionId, Realtime, TopicId};
use florin_net::protocol::{FetchResponse, FetchedBatch};

use super::super::observe::take;
use super::*;
use crate::real::line::Tag;
use crate::served::load::Flight;

const PARTITION: PartitionId = PartitionId { topic: TopicId(1), index: 0 };
const OTHER: PartitionId = PartitionId { topic: TopicId(1), index: 1 };

fn tag(serial: u32) -> Tag {
    Tag { run: 0, producer: 0, serial }
}

/// Three batches in each of two partitions, on two shards.
fn truth() -> Truth {
    let mut truth = Truth::default();
    for (partition, shard) in [(PARTITION, 0), (OTHER, 1)] {
        let mut next = 0;
        let batches = (0..3).map(|serial| {
            let sent = Flight::new(partition, Tag { producer: partition.index, ..tag(serial) }, None).sent;
            let base_offset = next;
            next += u64::from(sent.record_count);
            let append_time = 5000 + base_offset;
            Placed { partition, base_offset, last_offset: next - 1, append_time, crc: sent.crc, tag: sent.tag }
        });
        truth.batches.insert(partition, batches.collect());
        truth.shards.insert(partition, shard);
    }
    truth
}

fn sound_contents(partition: PartitionId) -> Contents {
    let truth = truth();
    let end = truth.end(partition);
    Contents { end, batches: truth.batches[&partition].clone(), next: Some(end), ..Contents::default() }
}

/// What is seen of a sound directory.
fn sound() -> Observed {
    let seen = |partition| (partition, Seen::Read(sound_contents(partition)));
    let partitions = [PARTITION, OTHER].map(seen).into();
    Observed { is_ready: true, is_calm: true, partitions, ..Observed::default() }
}

/// The same, but for one partition.
fn seen(change: impl FnOnce(&mut Contents)) -> Observed {
    let mut contents = sound_contents(PARTITION);
    change(&mut contents);
    let mut observed = sound();
    observed.partitions.insert(PARTITION, Seen::Read(contents));
    observed.log = "segment=7 is damaged".to_owned();
    observed
}

/// Batch 1 of the first partition stands in damaged bytes.
fn second_batch() -> Span {
    let batch = truth().batches[&PARTITION][1];
    Span { partition: PARTITION, from: batch.base_offset, to: batch.last_offset + 1 }
}

fn damaged_batch() -> Expected {
    Expected { spans: [second_batch()].into(), names: ["segment=7".to_owned()].into(), ..Expected::default() }
}

/// What is seen if exactly this batch is refused.
fn refused_batch() -> Observed {
    seen(|contents| {
        contents.batches.remove(1);
        contents.damaged.push(second_batch());
    })
}

fn found(expected: &Expected, observed: &Observed) -> Result<Found, &'static str> {
    judge(&truth(), EndedBy::Stop, expected, observed).map_err(|violation| violation.rule)
}

fn damaged_shard() -> Expected {
    Expected { refused: [0].into(), names: ["journal file 3".to_owned()].into(), ..Expected::default() }
}

fn refused_shard() -> Observed {
    let mut observed = sound();
    observed.partitions.insert(PARTITION, Seen::NotOpen);
    observed.log = "journal file 3 at byte 4096".to_owned();
    observed
}

#[test]
fn what_is_as_it_was_is_harmless_and_what_is_refused_as_it_must_be_is_found() {
    assert_eq!(found(&Expected::default(), &sound()), Ok(Found::Harmless));
    assert_eq!(found(&damaged_batch(), &refused_batch()), Ok(Found::OffsetsRefused));
    assert_eq!(found(&damaged_shard(), &refused_shard()), Ok(Found::ShardRefused));
    let all = Expected { refused: [0, 1].into(), names: ["identity".to_owned()].into(), ..Expected::default() };
    let nothing = Observed { is_calm: true, log: "its identity is damaged".to_owned(), ..Observed::default() };
    assert_eq!(found(&all, &nothing), Ok(Found::StartRefused));
    let noted = Expected { notes: ["superblock a ".to_owned()].into(), ..Expected::default() };
    let log = "something was wrong and was survived note=\"superblock a is damaged\"".to_owned();
    assert_eq!(found(&noted, &Observed { log, ..sound() }), Ok(Found::Survived));
}

#[test]
fn batch_that_is_neither_served_nor_refused_is_lost() {
    for missing in 0..3 {
        let lost = seen(|contents| {
            contents.batches.remove(missing);
        });
        assert_eq!(found(&damaged_batch(), &lost), Err("lost"));
    }
    let shorter = seen(|contents| {
        contents.batches.pop();
        contents.end = contents.batches[1].last_offset + 1;
        contents.next = Some(contents.end);
    });
    assert_eq!(found(&Expected::default(), &shorter), Err("lost"));
    assert_eq!(found(&Expected::default(), &seen(|contents| contents.start = 1)), Err("lost"));
}

#[test]
fn offset_that_is_given_out_again_is_found() {
    let again = seen(|contents| contents.next = Some(contents.end - 1));
    assert_eq!(found(&Expected::default(), &again), Err("offset given twice"));
    let left_out = seen(|contents| contents.next = Some(contents.end + 1));
    assert_eq!(found(&Expected::default(), &left_out), Err("next offset"));
    assert_eq!(found(&Expected::default(), &seen(|contents| contents.end += 1)), Err("from nowhere"));
}

#[test]
fn batches_in_another_order_or_twice_are_found() {
    let swapped = seen(|contents| contents.batches.swap(0, 1));
    assert_eq!(found(&Expected::default(), &swapped), Err("out of order"));
    let doubled = seen(|contents| contents.batches.insert(1, contents.batches[0]));
    assert_eq!(found(&Expected::default(), &doubled), Err("out of order"));
}

#[test]
fn other_bytes_are_found_also_under_a_right_checksum() {
    let other = seen(|contents| contents.batches[1].crc ^= 1);
    assert_eq!(found(&damaged_batch(), &other), Err("other bytes"));
    let later = seen(|contents| contents.batches[1].append_time += 1);
    assert_eq!(found(&damaged_batch(), &later), Err("other bytes"));
}

/// An answer with the first batch of the first partition, after something was done to its bytes.
fn answer(change: impl FnOnce(&mut [u8])) -> FetchResponse {
    let flight = Flight::new(PARTITION, tag(0), None);
    let mut bytes = flight.bytes.to_vec();
    change(&mut bytes);
    let (base_offset, append_time) = (Offset(0), Realtime(5000));
    let batches = vec![FetchedBatch { base_offset, append_time, bytes: Bytes::from(bytes) }];
    let end = Offset(truth().end(PARTITION));
    FetchResponse { start_offset: Offset(0), high_watermark: end, stable_offset: end, aborted: Vec::new(), batches }
}

#[test]
fn server_that_serves_a_changed_byte_is_noticed_whatever_its_checksum_says() {
    let mut whole = Contents::default();
    take(PARTITION, &answer(|_| {}), 0, &mut whole);
    assert_eq!((whole.wrong.len(), whole.batches[0]), (0, truth().batches[&PARTITION][0]));
    let length = answer(|_| {}).batches[0].bytes.len();
    for at in [batch::HEADER_BYTES, length / 2, length - 1] {
        let flip = |bytes: &mut [u8]| bytes[at] ^= 1;
        let flip_under_a_right_checksum = |bytes: &mut [u8]| {
            flip(bytes);
            let checksum = crc32c::crc32c(&bytes[21..]);
            bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
        };
        for fake in [answer(flip), answer(flip_under_a_right_checksum)] {
            let observed = seen(|contents| {
                let batches = contents.batches.split_off(1);
                contents.batches.clear();
                take(PARTITION, &fake, 0, contents);
                contents.batches.extend(batches);
            });
            assert_eq!(found(&damaged_batch(), &observed), Err("other bytes"), "byte {at}");
        }
    }
}

#[test]
fn answer_without_batches_before_the_end_is_found() {
    let observed = seen(|contents| {
        take(PARTITION, &FetchResponse { batches: Vec::new(), ..answer(|_| {}) }, 0, contents);
    });
    assert_eq!(found(&damaged_batch(), &observed), Err("unexpected"));
}

#[test]
fn refusal_of_more_than_is_damaged_or_of_less_is_found() {
    let more = seen(|contents| {
        contents.batches.truncate(1);
        contents.damaged.push(Span { to: contents.end, ..second_batch() });
    });
    assert_eq!(found(&damaged_batch(), &more), Err("refused too much"));
    assert_eq!(found(&Expected::default(), &refused_batch()), Err("refused too much"));
    assert_eq!(found(&damaged_batch(), &sound()), Err("damage not noticed"));
    let of_a_killed_one = judge(&truth(), EndedBy::Kill, &damaged_batch(), &sound());
    assert_eq!(of_a_killed_one, Ok(Found::Harmless), "its journal may hold them");
    let other = Expected { refused: [1].into(), ..damaged_shard() };
    assert_eq!(found(&other, &refused_shard()), Err("damage not noticed"));
    assert_eq!(found(&Expected { refused: BTreeSet::new(), ..other }, &refused_shard()), Err("refused too much"));
    assert_eq!(found(&damaged_shard(), &sound()), Err("damage not noticed"));
    let nothing = Observed { is_calm: true, log: "journal file 3".to_owned(), ..Observed::default() };
    assert_eq!(found(&damaged_shard(), &nothing), Err("refused too much"), "the other shard is sound");
}

#[test]
fn damage_that_the_log_does_not_name_is_found() {
    let silent = |observed: Observed| Observed { log: "all is well".to_owned(), ..observed };
    assert_eq!(found(&damaged_batch(), &silent(refused_batch())), Err("damage not named"));
    assert_eq!(found(&damaged_shard(), &silent(refused_shard())), Err("damage not named"));
    let noted = Expected { notes: ["superblock a ".to_owned()].into(), ..Expected::default() };
    assert_eq!(found(&noted, &silent(sound())), Err("damage not named"));
}

#[test]
fn refused_shard_that_was_changed_and_server_that_does_not_end_in_order_are_found() {
    let touched = Observed { touched: [0].into(), ..refused_shard() };
    assert_eq!(found(&damaged_shard(), &touched), Err("refused and changed"));
    let aborted = Observed { is_calm: false, ..sound() };
    assert_eq!(found(&Expected::default(), &aborted), Err("no orderly end"));
}
