//! What `dump` makes of damage: it is named with its offsets, and everything else is shown.

use std::fs;

use crate::scratch::{Answer, Scratch};
use crate::server::{PARTITION, Server};

const SEGMENT: &str = "shard-0/segment-000000000001";

fn dump(scratch: &Scratch, more: &[&str]) -> Answer {
    scratch.run("dump", &[&["payments", "--partition", "0"], more].concat())
}

/// The offsets of the plain lines.
fn offsets(answer: &Answer) -> Vec<u64> {
    let column = |line: &str| line.split('\t').nth(1).expect("a column").parse().expect("an offset");
    answer.out.lines().map(column).collect()
}

/// Three batches at rest, and one that is in the journal only; the server has crashed.
fn in_both() -> Scratch {
    let scratch = Scratch::formatted();
    let server = Server::start_resting(&scratch);
    server.create_topic();
    (0..3).for_each(|_| server.capture());
    server.checkpoint();
    server.capture();
    drop(server);
    scratch
}

#[test]
fn a_damaged_batch_is_skipped_with_its_offsets_and_the_rest_is_shown() {
    let scratch = in_both();
    assert_eq!(offsets(&dump(&scratch, &[])), [0, 1, 2, 3, 4, 5, 6, 7]);
    let batches = 128 + 3 * 20;
    let bytes = scratch.bytes(SEGMENT);
    let used = bytes[..4096].iter().rposition(|byte| *byte != 0).expect("batches") as u64;
    // Behind the header of the second batch.
    scratch.flip(SEGMENT, batches + (used - batches) / 3 + 80);
    let answer = dump(&scratch, &[]);
    answer
        .assert(1, &["florin: partition 1/0: offsets 2 to below 4 are SKIPPED: segment file 1 of shard 0", "checksum"]);
    assert_eq!(offsets(&answer), [0, 1, 4, 5, 6, 7]);
    assert_eq!(answer.err.lines().count(), 1);
    dump(&scratch, &["--from", "3", "--to", "4"]).assert(1, &["offsets 3 to below 4 are SKIPPED"]);
    dump(&scratch, &["--from", "4"]).assert(0, &[]);
    dump(&scratch, &["--to", "1"]).assert(0, &[]);
}

#[test]
fn a_damaged_extent_or_a_file_that_is_gone_costs_its_offsets_only() {
    let scratch = in_both();
    scratch.flip(SEGMENT, 130);
    let answer = dump(&scratch, &[]);
    answer.assert(1, &["offsets 0 to below 6 are SKIPPED", "table"]);
    assert_eq!(offsets(&answer), [6, 7]);
    fs::remove_file(scratch.path(SEGMENT)).expect("removed");
    let answer = dump(&scratch, &["--json"]);
    answer.assert(1, &["offsets 0 to below 6 are SKIPPED: segment file 1 of shard 0: the segment file is gone"]);
    assert_eq!(answer.out.lines().count(), 2);
}

#[test]
fn what_the_disk_does_not_give_is_skipped_and_not_called_damage() {
    let scratch = in_both();
    fs::remove_file(scratch.path(SEGMENT)).expect("removed");
    // It can be opened and not read.
    fs::create_dir(scratch.path(SEGMENT)).expect("made");
    let answer = dump(&scratch, &[]);
    answer.assert(2, &["offsets 0 to below 6 are SKIPPED"]);
    assert_eq!(offsets(&answer), [6, 7]);
    scratch.run("inspect segment", &["--shard=0"]).assert(2, &["shard-0/segment-000000000001"]);
}

#[test]
fn a_journal_that_a_start_refuses_is_refused_and_named() {
    let scratch = in_both();
    let (position, ..) = scratch.blocks("shard-0/journal-000")[2];
    scratch.flip("shard-0/journal-000", position + 200);
    let answer = dump(&scratch, &[]);
    answer.assert(2, &["shard 0: the journal is damaged", "journal file 0"]);
    assert_eq!(answer.out, "");
}

#[test]
fn the_remains_of_a_last_write_are_left_out_and_said() {
    let scratch = Scratch::crashed();
    let (position, sequence, verdict) = scratch.blocks("shard-0/journal-000").pop().expect("blocks");
    assert_eq!(verdict, "recovered");
    scratch.flip("shard-0/journal-000", position + 300);
    let answer = dump(&scratch, &[]);
    answer.assert(0, &["remains of a last write", "1 place of the journal"]);
    assert_eq!(offsets(&answer), [0, 1, 2, 3], "block {sequence} was not confirmed");
}

#[test]
fn a_compressed_batch_is_skipped_and_said_to_be_compressed() {
    let scratch = Scratch::formatted();
    let server = Server::start(&scratch);
    server.create_topic();
    server.capture();
    server.capture_batch(PARTITION, |batch| {
        batch[22] = 4;
        let checksum = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&checksum.to_be_bytes());
    });
    server.capture();
    server.stop();
    let answer = dump(&scratch, &[]);
    answer.assert(1, &["offsets 2 to below 4 are SKIPPED: a batch that is compressed (zstd), which is not decoded"]);
    assert_eq!(offsets(&answer), [0, 1, 4, 5]);
    let text = scratch.run("inspect journal", &["--deep"]);
    text.assert(0, &["zstd", "the records are compressed, and not decoded here"]);
}
