//! One flipped bit anywhere, and what verify says about it.

use crate::scratch::Scratch;

/// Verifies, and expects damage that is named with its file, position and words.
fn assert_damage(scratch: &Scratch, file: &str, position: u64, words: &[&str]) {
    let answer = scratch.run("verify", &[]);
    answer.assert(1, &["verdict: damage", &format!("damage in {file} at byte {position} ")]);
    answer.assert(1, words);
    assert!(answer.err.starts_with("florin: "), "{answer:?}");
    let findings = scratch.run("verify", &["--json"]).json();
    assert_eq!(findings["verdict"], "damage");
    let all = findings.to_string();
    assert!(
        all.contains(&format!("\"file\":\"{file}\"")) && all.contains(&format!("\"position\":{position}")),
        "{all}"
    );
}

#[test]
fn one_damaged_copy_of_the_identity_is_damage_and_so_are_both() {
    let scratch = Scratch::formatted();
    scratch.flip("identity", 4096 + 20);
    assert_damage(&scratch, "identity", 4096, &["second copy of the identity is damaged"]);
    scratch.flip("identity", 20);
    assert_damage(&scratch, "identity", 0, &["first copy", "second copy", "shard 0: 2 superblock copies"]);
}

#[test]
fn one_damaged_superblock_copy_is_damage_and_with_both_the_rest_is_not_checked() {
    let scratch = Scratch::sealed();
    scratch.flip("shard-0/superblock-b", 300);
    assert_damage(&scratch, "shard-0/superblock-b", 0, &["superblock copy is damaged: checksum", "1 superblock copy,"]);
    scratch.flip("shard-0/superblock-a", 8000);
    assert_damage(&scratch, "shard-0/superblock-a", 0, &["no usable superblock", "journal cannot be checked"]);
}

#[test]
fn one_damaged_manifest_copy_is_damage_and_with_both_the_journal_is_checked_alone() {
    let scratch = Scratch::sealed();
    let named = scratch.run("inspect", &[]).code;
    assert_eq!(named, 2, "inspect needs to know what to show");
    let document = scratch.run("inspect manifest", &["--json"]).json();
    let slot = document["shards"][0]["named_slot"].as_u64().expect("a slot");
    let file = format!("shard-0/manifest-{slot}");
    scratch.flip(&file, 4096 + 4);
    assert_damage(&scratch, &file, 0, &["copy of manifest", "checksum of section Catalogue", "1 manifest copy ("]);
    scratch.flip(&file, 32_768 + 70);
    assert_damage(&scratch, &file, 32_768, &["not held against each other", "4 batches"]);
}

#[test]
fn a_unit_that_was_never_written_is_damage_in_a_file_that_was_never_used() {
    let scratch = Scratch::formatted();
    scratch.flip("shard-0/journal-003", 8192 + 4000);
    assert_damage(&scratch, "shard-0/journal-003", 8192, &["never used"]);
}

#[test]
fn units_that_are_damaged_in_a_row_are_one_finding() {
    let scratch = Scratch::formatted();
    scratch.overwrite("shard-0/journal-003", 8192, &[0; 16_384]);
    assert_damage(&scratch, "shard-0/journal-003", 8192, &["(16384 bytes)", "4 journal files"]);
    let document = scratch.run("verify", &["--json"]).json();
    assert_eq!(document["shards"][0]["findings"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_confirmed_block_with_a_flipped_bit_is_damage_with_its_number() {
    let scratch = Scratch::sealed();
    let (position, sequence, verdict) = scratch.blocks("shard-0/journal-000")[3].clone();
    assert_eq!(verdict, "confirmed");
    scratch.flip("shard-0/journal-000", position + 200);
    let body = format!("the body of block {sequence} does not match its checksum");
    assert_damage(&scratch, "shard-0/journal-000", position, &[&body, "not held against each other"]);
}

#[test]
fn a_confirmed_block_whose_header_is_gone_is_damage() {
    let scratch = Scratch::sealed();
    let (position, ..) = scratch.blocks("shard-0/journal-000")[2];
    scratch.flip("shard-0/journal-000", position + 60);
    assert_damage(&scratch, "shard-0/journal-000", position, &["no valid block header"]);
}

#[test]
fn a_block_that_later_ones_confirm_is_damage_although_no_superblock_knows_it() {
    let scratch = Scratch::crashed();
    let (position, sequence, verdict) = scratch.blocks("shard-0/journal-000")[1].clone();
    assert_eq!(verdict, "recovered");
    scratch.flip("shard-0/journal-000", position + 200);
    let lost = format!("blocks {sequence} to ");
    assert_damage(&scratch, "shard-0/journal-000", position, &[&lost, "were durable and are gone"]);
}

#[test]
fn a_torn_last_block_is_a_note_because_a_crash_leaves_the_same() {
    let scratch = Scratch::crashed();
    let (position, sequence, _) = scratch.blocks("shard-0/journal-000").last().expect("blocks").clone();
    scratch.flip("shard-0/journal-000", position + 200);
    let answer = scratch.run("verify", &[]);
    let note = format!(
        "note in shard-0/journal-000 at byte {position} (4096 bytes): block {sequence} looks like a last write"
    );
    answer.assert(0, &[&note, "verdict: clean"]);
    assert_eq!(answer.err, "");
}

#[test]
fn two_files_that_were_swapped_are_damage() {
    let scratch = Scratch::formatted();
    let (first, second) = (scratch.bytes("shard-0/journal-001"), scratch.bytes("shard-0/journal-002"));
    scratch.overwrite("shard-0/journal-001", 0, &second);
    scratch.overwrite("shard-0/journal-002", 0, &first);
    assert_damage(&scratch, "shard-0/journal-001", 0, &["journal-002"]);
}

#[test]
fn an_old_superblock_copy_is_damage_because_a_durable_write_is_lost() {
    let scratch = Scratch::formatted();
    let old = scratch.bytes("shard-0/superblock-b");
    drop(crate::server::Server::start(&scratch));
    let server = crate::server::Server::start(&scratch);
    server.create_topic();
    server.stop();
    scratch.overwrite("shard-0/superblock-b", 0, &old);
    assert_damage(&scratch, "shard-0/superblock-b", 0, &["holds generation 1", "reported durable is lost"]);
}

#[test]
fn a_damaged_copy_in_a_slot_that_no_superblock_names_is_a_note() {
    let scratch = Scratch::closed();
    let document = scratch.run("inspect manifest", &["--json"]).json();
    let slots = document["shards"][0]["slots"].as_array().expect("slots").clone();
    let unnamed = slots.iter().position(|slot| slot["named_by"].as_array().is_some_and(Vec::is_empty));
    let file = format!("shard-0/manifest-{}", unnamed.expect("three slots, at most two are named"));
    scratch.overwrite(&file, 0, &[7; 4096]);
    let note = format!("note in {file} at byte 0 (32768 bytes): damaged");
    scratch.run("verify", &[]).assert(0, &[&note, "the next checkpoint overwrites it", "verdict: clean"]);
}
