use florin_engine::io::fitness::DirectoryLock;
use serde_json::Value;

use crate::scratch::Scratch;
use crate::server::Server;

const EVERYTHING: [&str; 4] = ["inspect identity", "inspect superblock", "inspect manifest", "inspect journal"];

#[test]
fn the_identity_is_shown_with_both_copies() {
    let scratch = Scratch::formatted();
    let document = scratch.run("inspect identity", &["--json"]).json();
    let id = document["copies"][0]["contents"]["directory_id"].as_str().expect("an id").to_owned();
    assert_eq!(id.len(), 32);
    assert_eq!(document["copies"][1]["contents"]["shard_count"], 1);
    scratch.run("inspect identity", &[]).assert(0, &["first copy", "second copy", &id]);
}

#[test]
fn the_superblock_in_force_and_every_ring_file_are_shown() {
    let scratch = Scratch::sealed();
    let text = scratch.run("inspect superblock", &[]);
    text.assert(0, &["copy a is in force", "not closed in order", "journal-000  sealed", "journal-001  free"]);
    let document = scratch.run("inspect superblock", &["--shard=0", "--json"]).json();
    let contents = &document["shards"][0]["copies"][1]["contents"];
    assert_eq!(contents["epoch"], 2);
    assert_eq!(contents["files"][0]["state"], "sealed");
    assert_eq!(contents["files"][0]["first_sequence"], 1);
    assert_eq!(contents["journal_file_bytes"], 65_536);
}

#[test]
fn the_manifest_is_shown_with_what_its_sections_say() {
    let scratch = Scratch::closed();
    let text = scratch.run("inspect manifest", &[]);
    text.assert(0, &["payments", "live", "1/0", "2026-01-02T03:04:05.0000", "named by superblock a and b"]);
    let document = scratch.run("inspect manifest", &["--json"]).json();
    let shard = &document["shards"][0];
    let slot = usize::try_from(shard["named_slot"].as_u64().expect("a slot")).expect("small");
    let sections = shard["slots"][slot]["copies"][1]["contents"]["sections"].as_array().expect("sections").clone();
    let section =
        |module: &str| sections.iter().find(|section| section["module"] == module).expect("a section").clone();
    assert_eq!(section("catalogue")["contents"]["topics"][0]["name"], "payments");
    assert_eq!(section("partitions")["contents"]["partitions"][0]["next_offset"], 6);
    assert_eq!(section("producers")["contents"]["partitions"][0]["producer_count"], 0);
    assert_eq!(section("producer_ids")["contents"]["reserved_end"], 0);
}

#[test]
fn the_journal_is_shown_block_by_block_with_entries_and_verdicts() {
    let scratch = Scratch::crashed();
    let text = scratch.run("inspect journal", &["--entries"]);
    text.assert(
        0,
        &["epoch 1, not closed in order", "epoch_start", "topic_creating", "payments revision 1 on shards 0"],
    );
    text.assert(
        0,
        &["batch  1/0  offsets 4 to 5, 2 records", "at 2026-01-02T03:04:05.0000", "recovered", "as formatted"],
    );
    assert!(!text.out.contains("secret payment"), "payloads are not shown");
    let document = scratch.run("inspect journal", &["--json", "--entries", "--file=0"]).json();
    let blocks = document["shards"][0]["files"][0]["blocks"].as_array().expect("blocks").clone();
    assert_eq!(blocks[0]["sequence"], 1);
    assert_eq!(blocks[0]["entries"][0]["kind"], "epoch_start");
    let last = blocks.last().expect("blocks");
    assert_eq!(last["entries"][0]["batch"]["last_offset"], 5);
    assert_eq!(document["shards"][0]["files"].as_array().map(Vec::len), Some(1));
}

#[test]
fn blocks_can_be_chosen_by_sequence() {
    let scratch = Scratch::crashed();
    let document = scratch.run("inspect journal", &["--json", "--from=2", "--to=3"]).json();
    let files = document["shards"][0]["files"].as_array().expect("files").clone();
    let blocks: Vec<&Value> = files.iter().flat_map(|file| file["blocks"].as_array().expect("blocks")).collect();
    let sequences: Vec<_> = blocks.iter().filter_map(|block| block["sequence"].as_u64()).collect();
    assert_eq!(sequences, [2, 3]);
    scratch.run("inspect journal", &["--file=9"]).assert(2, &["no journal file 9: they are 0 to 3"]);
}

#[test]
fn a_damaged_directory_is_shown_item_by_item() {
    let scratch = Scratch::sealed();
    let (position, ..) = scratch.blocks("shard-0/journal-000")[2];
    scratch.flip("shard-0/journal-000", position + 200);
    scratch.flip("shard-0/superblock-a", 50);
    scratch.flip("identity", 4096);
    scratch.flip("shard-0/manifest-1", 4096);
    scratch.remove("shard-0/journal-002");
    scratch.run("inspect identity", &[]).assert(0, &["second copy at byte 4096 of identity: damaged", "magic"]);
    scratch.run("inspect superblock", &[]).assert(0, &["copy b is in force", "copy a (shard-0/superblock-a): damaged"]);
    scratch.run("inspect manifest", &[]).assert(0, &["named by superblock b", "manifest-1"]);
    let journal = scratch.run("inspect journal", &[]);
    journal.assert(2, &["DAMAGED: the body of block 3", "confirmed", "does not exist", "a start refuses this journal"]);
}

#[test]
fn without_an_identity_the_superblocks_say_which_directory_it_is() {
    let scratch = Scratch::crashed();
    scratch.remove("identity");
    scratch.run("inspect identity", &[]).assert(2, &["no identity", "absent"]);
    scratch.run("inspect superblock", &[]).assert(0, &["copy a is in force"]);
    scratch.run("inspect journal", &[]).assert(0, &["recovered"]);
}

#[test]
fn what_cannot_be_shown_at_all_gives_two() {
    let scratch = Scratch::crashed();
    scratch.flip("shard-0/superblock-a", 50);
    scratch.flip("shard-0/superblock-b", 50);
    scratch.run("inspect superblock", &[]).assert(2, &["none is in force", "damaged"]);
    scratch.run("inspect manifest", &[]).assert(2, &["no usable superblock"]);
    scratch.run("inspect journal", &[]).assert(2, &["no usable superblock"]);
    scratch.run("inspect journal", &["--shard=5"]).assert(2, &["has no shard 5: the only one is 0"]);
    for command in ["inspect superblock", "inspect manifest", "inspect journal"] {
        let answer = scratch.run(command, &[]);
        assert!(!(answer.out + &answer.err).contains("shard 0: shard 0"), "{command}");
    }
    let empty = Scratch::new();
    empty.run("inspect superblock", &[]).assert(2, &["does not exist"]);
}

#[test]
fn a_directory_in_use_can_be_inspected_and_stays_as_it_is() {
    let scratch = Scratch::formatted();
    let server = Server::start(&scratch);
    let lock = DirectoryLock::take(&scratch.directory()).expect("locked");
    server.create_topic();
    let before = scratch.bytes("shard-0/journal-000");
    for command in EVERYTHING {
        scratch.run(command, &[]).assert(0, &[]);
    }
    scratch.run("inspect segment", &["--shard=0"]).assert(0, &["no segment files"]);
    server.capture();
    assert_ne!(scratch.bytes("shard-0/journal-000"), before);
    drop(lock);
}

#[test]
fn a_journal_file_that_is_missing_or_cut_off_gives_two_and_the_others_are_shown() {
    let scratch = Scratch::crashed();
    scratch.remove("shard-0/journal-002");
    let answer = scratch.run("inspect journal", &[]);
    answer.assert(2, &["shard 0: shard-0/journal-002 is not shown: ", "does not exist", "recovered", "journal-003"]);
    assert_eq!(scratch.run("inspect journal", &["--json"]).json()["shards"][0]["problem"], Value::Null);
    scratch.run("inspect journal", &["--file=0"]).assert(0, &["recovered"]);
    let scratch = Scratch::crashed();
    scratch.resize("shard-0/journal-003", 8192);
    let answer = scratch.run("inspect journal", &[]);
    answer.assert(2, &["shard-0/journal-003 is not shown: ", "8192 instead of 65536 bytes", "recovered"]);
}

#[test]
fn a_range_of_blocks_that_ends_before_it_begins_is_refused() {
    let scratch = Scratch::crashed();
    let answer = scratch.run("inspect journal", &["--from=5", "--to=3"]);
    answer.assert(2, &["--from 5 is behind --to 3"]);
    assert_eq!(answer.out, "");
    scratch.run("inspect journal", &["--from=3", "--to=3"]).assert(0, &["recovered"]);
}
