//! What `inspect` shows of segment files: files, extents, indexes, batches, records, and damage with its offsets.

use std::fs;

use serde_json::{Value, json};

use crate::scratch::{Answer, Scratch};

const SEGMENT: &str = "shard-0/segment-000000000001";

fn segment(scratch: &Scratch, more: &[&str]) -> Answer {
    scratch.run("inspect segment", &[&["--shard=0"], more].concat())
}

fn extent(scratch: &Scratch, position: &str, more: &[&str]) -> Answer {
    scratch.run("inspect extent", &[&["--shard=0", "--segment=1", "--position", position], more].concat())
}

fn index(scratch: &Scratch, more: &[&str]) -> Answer {
    scratch.run("inspect index", &[&["--shard=0", "--segment=1"], more].concat())
}

/// The one segment file of the JSON.
fn only(answer: &Answer) -> Value {
    let document = answer.json();
    let segments = document["shards"][0]["segments"].as_array().expect("a list").clone();
    assert_eq!(segments.len(), 1);
    segments[0].clone()
}

/// The last byte of a segment file's only extent that is not padding.
fn last_batch_byte(scratch: &Scratch) -> u64 {
    scratch.bytes(SEGMENT)[..4096].iter().rposition(|byte| *byte != 0).expect("batches") as u64
}

#[test]
fn segment_files_are_listed_with_state_runs_extents_offsets_and_index() {
    let scratch = Scratch::at_rest();
    let text = segment(&scratch, &[]);
    text.assert(0, &["segment files by manifest", "sealed", "present", "1/0: 0 to below 6"]);
    assert!(!text.out.contains("DAMAGED"), "{text:?}");
    let found = only(&segment(&scratch, &["--json"]));
    let expected = [
        ("segment", json!(1)),
        ("file", json!(SEGMENT)),
        ("state", json!("sealed")),
        ("is_named", json!(true)),
        ("is_shared", json!(false)),
        ("file_bytes", json!(8192)),
        ("end", json!(4096)),
        ("index", json!("present")),
        ("index_bytes", json!(4096)),
        ("extent_count", json!(1)),
        ("batch_count", json!(3)),
        ("partition_count", json!(1)),
        ("damage", json!([])),
        ("problem", Value::Null),
    ];
    for (name, value) in expected {
        assert_eq!(found[name], value, "{name}");
    }
    assert_eq!((&found["runs"][0]["base_offset"], &found["runs"][0]["next_offset"]), (&json!(0), &json!(6)));
    segment(&Scratch::crashed(), &[]).assert(0, &["no segment files"]);
}

#[test]
fn a_file_that_partitions_share_says_so_and_lists_the_run_of_each() {
    let scratch = Scratch::shared();
    let found = only(&segment(&scratch, &["--json"]));
    assert_eq!(
        (&found["is_shared"], &found["partition_count"], &found["extent_count"]),
        (&json!(true), &json!(2), &json!(2))
    );
    let runs = found["runs"].as_array().expect("runs");
    let places: Vec<_> = runs.iter().map(|run| (run["partition"].clone(), run["position"].clone())).collect();
    assert_eq!(places, [(json!(0), json!(0)), (json!(1), json!(4096))]);
    segment(&scratch, &[]).assert(0, &["yes", "1/0: 0 to below 6 and 1 other run"]);
}

#[test]
fn every_extent_of_a_file_is_one_line_and_deep_shows_batches_and_records() {
    let scratch = Scratch::shared();
    let text = segment(&scratch, &["--segment=1"]);
    text.assert(
        0,
        &["at byte 0: 4096 bytes, 1/0: 0 to below 6, 3 batches", "at byte 4096: 4096 bytes, 1/1: 0 to below 6"],
    );
    assert!(!text.out.contains("secret payment"), "payloads are shown only if they are asked for");
    let deep = segment(&scratch, &["--segment=1", "--deep"]);
    deep.assert(
        0,
        &["offsets 4 to 5, 2 records", "offset 5  appended 2026-01-02T03:04:05.0000", "timestamp 1767323045000"],
    );
    assert_eq!(deep.out.matches("value second secret payment").count(), 6);
    let extents = only(&segment(&scratch, &["--segment=1", "--deep", "--json"]))["extents"].clone();
    let entries = &extents[1]["entries"];
    assert_eq!(extents.as_array().map(Vec::len), Some(2));
    assert_eq!((&extents[1]["fields"]["partition"], &extents[1]["table"]["state"]), (&json!(1), &json!("right")));
    let record = &entries[2]["batch"]["records"][1];
    assert_eq!((&record["offset"], &record["partition"]), (&json!(5), &json!(1)));
    assert_eq!((&record["value"], &record["value_bytes"]), (&json!("second secret payment"), &json!(21)));
    segment(&scratch, &["--deep"]).assert(2, &["--segment"]);
}

#[test]
fn a_flipped_bit_in_a_batch_is_shown_with_its_offsets_and_no_others() {
    let scratch = Scratch::at_rest();
    scratch.flip(SEGMENT, last_batch_byte(&scratch) - 1);
    let text = segment(&scratch, &["--segment=1", "--deep"]);
    text.assert(0, &["DAMAGED: 1 of its batches; offsets 1/0: 4 to below 6 cannot be read"]);
    text.assert(0, &["offsets 4 to below 6, DAMAGED: the batch's checksum does not match"]);
    assert_eq!(text.out.matches("second secret payment").count(), 2, "the records of the other two");
    let shown = extent(&scratch, "0", &["--json"]).json()["shards"][0]["extent"].clone();
    assert_eq!(shown["lost"], json!([{"topic": 1, "partition": 0, "base_offset": 4, "next_offset": 6}]));
    let states: Vec<_> = (0..3).map(|entry| shown["entries"][entry]["check"]["state"].clone()).collect();
    assert_eq!(states, ["right", "right", "wrong"]);
    assert_eq!((&shown["header"]["state"], &shown["table"]["state"]), (&json!("right"), &json!("right")));
}

#[test]
fn a_flipped_bit_in_a_table_costs_the_extent_and_the_table_is_named() {
    let scratch = Scratch::shared();
    scratch.flip(SEGMENT, 4096 + 130);
    let text = segment(&scratch, &["--segment=1"]);
    text.assert(
        0,
        &["DAMAGED: checksum of the extent's table does not match; offsets 1/1: 0 to below 6 cannot be read"],
    );
    assert_eq!(text.out.matches("DAMAGED").count(), 1);
    extent(&scratch, "4096", &[])
        .assert(0, &["header           right", "table            wrong: checksum", "padding          right"]);
    extent(&scratch, "0", &[]).assert(0, &["table            right", "1/0", "run              1/0: 0 to below 6"]);
}

#[test]
fn a_header_that_is_lost_is_a_gap_with_the_offsets_that_must_be_in_it() {
    let scratch = Scratch::shared();
    scratch.flip(SEGMENT, 70);
    let lost = json!([{"topic": 1, "partition": 0, "base_offset": 0, "next_offset": 6}]);
    let damage = only(&segment(&scratch, &["--json"]))["damage"].clone();
    assert_eq!(
        (&damage[0]["position"], &damage[0]["damage_bytes"], &damage[0]["lost"]),
        (&json!(0), &json!(4096), &lost)
    );
    assert_eq!(damage.as_array().map(Vec::len), Some(1));
    segment(&scratch, &["--segment=1"]).assert(
        0,
        &[
            "at byte 0: 4096 bytes, DAMAGED: damaged: checksum of the extent's header",
            "at byte 4096: 4096 bytes, 1/1",
            "right",
        ],
    );
    let shown = extent(&scratch, "0", &["--json"]).json()["shards"][0]["extent"].clone();
    assert_eq!((&shown["header"]["state"], &shown["table"]["state"]), (&json!("wrong"), &json!("right")));
    assert_eq!((&shown["lost"], &shown["fields"]["entry_count"]), (&lost, &json!(3)));
    scratch.overwrite(SEGMENT, 4096, &[0; 8]);
    extent(&scratch, "4096", &[]).assert(0, &["no extent begins here", "lost             1/1: 0 to below 6"]);
}

#[test]
fn an_index_is_shown_entry_by_entry_and_held_against_the_headers() {
    let scratch = Scratch::shared();
    let shown = index(&scratch, &["--json"]).json()["shards"][0].clone();
    assert_eq!((&shown["state"], &shown["position"], &shown["missing"]), (&json!("present"), &json!(8192), &json!([])));
    assert_eq!(shown["entries"].as_array().map(Vec::len), Some(2));
    assert_eq!((&shown["entries"][1]["position"], &shown["entries"][1]["agrees"]), (&json!(4096), &json!(true)));
    scratch.flip(SEGMENT, 4096 + 70);
    index(&scratch, &[]).assert(0, &["present", "DAMAGED: the extent's header is damaged: checksum", "agrees"]);
    scratch.flip(SEGMENT, 4096 + 70);
    scratch.flip(SEGMENT, 8192 + 64 + 40 + 8);
    let text = index(&scratch, &[]);
    text.assert(
        0,
        &["damaged: checksum of the index", "as they stand", "DAMAGED: the extent's header says something else"],
    );
    segment(&scratch, &[]).assert(0, &["DAMAGED: the index: damaged", "at byte 8192 (4096 bytes)"]);
    scratch.overwrite(SEGMENT, 8192, &[0; 4096]);
    index(&scratch, &[]).assert(0, &["absent", "DAMAGED: an extent begins at byte 4096, and no entry names it"]);
}

#[test]
fn files_that_are_gone_cut_off_or_not_needed_are_told_apart() {
    let scratch = Scratch::shared();
    let path = scratch.path(SEGMENT);
    fs::copy(&path, scratch.path("shard-0/segment-000000000077")).expect("copied");
    let text = segment(&scratch, &[]);
    text.assert(0, &["orphan", "damaged: an extent of another place: segment 1 at byte 0"]);
    segment(&scratch, &["--segment=77"]).assert(0, &["orphan"]);
    fs::remove_file(scratch.path("shard-0/segment-000000000077")).expect("removed");

    scratch.resize(SEGMENT, 4096);
    let text = segment(&scratch, &[]);
    text.assert(0, &["the file has only 4096 bytes; offsets 1/1: 0 to below 6 cannot be read", "its index is cut off"]);
    fs::remove_file(path).expect("removed");
    let text = segment(&scratch, &[]);
    text.assert(2, &["missing", "the segment file is gone; offsets 1/0: 0 to below 6, offsets 1/1: 0 to below 6"]);
    segment(&scratch, &["--segment=1"]).assert(2, &["is not shown: ", "does not exist"]);
    extent(&scratch, "0", &[]).assert(2, &["does not exist"]);
}

#[test]
fn without_a_manifest_files_are_shown_with_all_that_they_say_themselves() {
    let scratch = Scratch::shared();
    let document = scratch.run("inspect superblock", &["--json"]).json();
    let slot = document["shards"][0]["copies"][0]["contents"]["manifest"]["slot"].as_u64().expect("a slot");
    for position in [20, 32_768 + 20] {
        scratch.flip(&format!("shard-0/manifest-{slot}"), position);
    }
    let text = segment(&scratch, &[]);
    text.assert(2, &["which files are needed is not known", "unknown", "present"]);
    let found = only(&segment(&scratch, &["--json"]));
    assert_eq!((&found["end"], &found["extent_count"], &found["index_bytes"]), (&json!(8192), &json!(2), &json!(4096)));
    segment(&scratch, &["--segment=1"]).assert(2, &["at byte 4096: 4096 bytes, 1/1: 0 to below 6", "in no run, right"]);
    index(&scratch, &[]).assert(2, &["at byte 8192", "agrees"]);
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    let scratch = Scratch::shared();
    extent(&scratch, "100", &[]).assert(2, &["begin at multiples of 4096"]);
    extent(&scratch, "8192", &[]).assert(2, &["end at byte 8192"]);
    segment(&scratch, &["--segment=9"]).assert(2, &["has no segment file 9"]);
    scratch.run("inspect segment", &["--shard=3"]).assert(2, &["has no shard 3: the only one is 0"]);
    scratch.run("inspect segment", &[]).assert(2, &["--shard"]);
    for copy in ["a", "b"] {
        scratch.flip(&format!("shard-0/superblock-{copy}"), 50);
    }
    segment(&scratch, &[]).assert(2, &["no usable superblock"]);
    extent(&scratch, "0", &[]).assert(2, &["no usable superblock"]);
}

#[test]
fn the_journal_is_shown_down_to_its_records_if_that_is_asked_for() {
    let scratch = Scratch::crashed();
    let text = scratch.run("inspect journal", &["--deep"]);
    text.assert(
        0,
        &["batch  1/0  offsets 4 to 5", "offset 5  appended 2026-01-02T03:04:05.0000", "value second secret payment"],
    );
    let document = scratch.run("inspect journal", &["--deep", "--json", "--file=0"]).json();
    let blocks = document["shards"][0]["files"][0]["blocks"].as_array().expect("blocks").clone();
    let records = blocks.last().expect("a block")["entries"][0]["batch"]["records"].clone();
    assert_eq!((&records[1]["offset"], &records[1]["value"]), (&json!(5), &json!("second secret payment")));
}
