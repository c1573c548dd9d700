//! Files that are gone or have another size, and directories that are as they should be.

use crate::scratch::Scratch;

#[test]
fn a_directory_with_real_blocks_is_clean_whether_it_was_closed_or_not() {
    let closed = (Scratch::closed(), "1 partition, 1 segment file", false);
    let crashed =
        [Scratch::crashed(), Scratch::sealed()].map(|scratch| (scratch, "1 partition, 0 segment files", true));
    for (scratch, at_rest, has_blocks) in crashed.into_iter().chain([closed]) {
        let answer = scratch.run("verify", &[]);
        answer.assert(0, &["verdict: clean", at_rest]);
        let checked = scratch.run("verify", &["--json"]).json()["shards"][0]["checked"].clone();
        let count = |name: &str| checked[name].as_u64().expect("a count");
        let batches = count("batch_count") + count("stored_batch_count");
        assert!((3..=4).contains(&batches), "{checked}");
        assert_eq!(count("record_count"), 2 * count("batch_count"));
        assert_eq!(count("block_count") > batches, has_blocks, "{checked}");
    }
}

#[test]
fn what_is_behind_the_end_of_a_sealed_file_is_said_not_to_be_examined() {
    let scratch = Scratch::sealed();
    let (last, ..) = *scratch.blocks("shard-0/journal-000").last().expect("blocks");
    let end = last + 4096;
    scratch.flip("shard-0/journal-000", end + 10);
    let not_examined = format!("not examined: shard-0/journal-000 from byte {end} on");
    scratch.run("verify", &[]).assert(0, &[&not_examined, "sealed"]);
}

#[test]
fn a_deleted_journal_file_is_damage_whether_it_is_needed_or_not() {
    let scratch = Scratch::sealed();
    scratch.remove("shard-0/journal-003");
    scratch.run("verify", &[]).assert(1, &["damage in shard-0/journal-003: the journal file is missing"]);
    scratch.remove("shard-0/journal-000");
    let answer = scratch.run("verify", &[]);
    answer.assert(1, &["damage in shard-0/journal-000: the journal file is missing", "not held against each other"]);
}

#[test]
fn a_journal_file_of_another_size_is_damage_with_both_sizes() {
    let scratch = Scratch::sealed();
    scratch.resize("shard-0/journal-000", 8192);
    scratch.run("verify", &[]).assert(1, &["shard-0/journal-000: the journal file has 8192 bytes", "with 65536"]);
    let scratch = Scratch::sealed();
    scratch.resize("shard-0/journal-003", 131_072);
    scratch.run("verify", &[]).assert(1, &["shard-0/journal-003: the journal file has 131072 bytes"]);
}

#[test]
fn other_files_that_are_gone_or_cut_are_damage() {
    for file in ["shard-0/superblock-a", "shard-0/manifest-0", "shard-0/manifest-2"] {
        let scratch = Scratch::closed();
        scratch.resize(file, 4096);
        scratch.run("verify", &[]).assert(1, &[&format!("damage in {file}: the file has 4096 bytes")]);
        scratch.remove(file);
        scratch.run("verify", &[]).assert(1, &[&format!("damage in {file}: open "), "does not exist"]);
    }
    let scratch = Scratch::closed();
    scratch.resize("identity", 4096);
    scratch.run("verify", &[]).assert(1, &["damage in identity: the file has 4096 bytes", "3 batches"]);
}

#[test]
fn names_that_do_not_belong_here_are_a_note() {
    let scratch = Scratch::formatted();
    std::fs::create_dir(scratch.path("lost+found")).expect("created");
    scratch.run("verify", &[]).assert(0, &["note in lost+found: is nothing that belongs here"]);
}
