//! What is at rest, and what verify says about it.

use std::fs;

use crate::scratch::Scratch;

const SEGMENT: &str = "shard-0/segment-000000000001";

#[test]
fn a_directory_with_segments_is_clean_and_says_what_is_in_them() {
    let scratch = Scratch::at_rest();
    let answer = scratch.run("verify", &[]);
    answer.assert(0, &["verdict: clean", "1 segment file with 3 batches"]);
    let checked = scratch.run("verify", &["--json"]).json()["shards"][0]["checked"].clone();
    assert_eq!((&checked["segment_count"], &checked["stored_batch_count"]), (&1.into(), &3.into()));
    let manifest = scratch.run("inspect manifest", &[]);
    manifest.assert(0, &["partition 1/0 at rest:", "0 to below 6", "sealed"]);
}

#[test]
fn a_flipped_bit_in_a_batch_at_rest_is_damage_with_its_offsets() {
    let scratch = Scratch::at_rest();
    let bytes = fs::read(scratch.directory().join(SEGMENT)).expect("a segment file");
    let last = bytes[..4096].iter().rposition(|byte| *byte != 0).expect("batches");
    scratch.flip(SEGMENT, last as u64 - 1);
    scratch.run("verify", &[]).assert(1, &["verdict: damage", SEGMENT, "partition 1/0: offsets 4 to below 6"]);
}

#[test]
fn a_flipped_bit_in_an_extents_table_is_damage_of_all_that_it_holds() {
    let scratch = Scratch::at_rest();
    scratch.flip(SEGMENT, 130);
    scratch.run("verify", &[]).assert(1, &["verdict: damage", "offsets 0 to below 6", "table"]);
}

#[test]
fn a_damaged_index_is_named_although_reads_do_without_it() {
    let scratch = Scratch::at_rest();
    scratch.flip(SEGMENT, 4096 + 70);
    scratch.run("verify", &[]).assert(1, &["verdict: damage", "the index of the segment file", "3 batches"]);
}

#[test]
fn a_segment_file_that_is_gone_is_damage_and_one_too_many_is_a_note() {
    let scratch = Scratch::at_rest();
    let path = scratch.directory().join(SEGMENT);
    fs::copy(&path, scratch.directory().join("shard-0/segment-000000000077")).expect("copied");
    let answer = scratch.run("verify", &[]);
    answer.assert(0, &["note in shard-0/segment-000000000077", "the next start removes it"]);
    fs::remove_file(path).expect("removed");
    scratch.run("verify", &[]).assert(1, &["damage in shard-0/segment-000000000001", "the segment file is gone"]);
}
