use florin_engine::format::layout::Geometry;
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::journal::create::{FormatSettings, format};
use florin_engine::model::{Id128, Realtime, ShardId};
use tempfile::TempDir;

use super::super::View;
use crate::cli::{JournalLook, Look, ShardLook};
use crate::directory::Directory;
use crate::faulty::FaultyDisk;

#[test]
fn bytes_that_the_disk_does_not_give_are_named_and_the_rest_is_shown() {
    let scratch = TempDir::new().expect("a directory");
    let settings = FormatSettings {
        directory_id: Id128([3; 16]),
        journal_ids: vec![Id128([9; 16])],
        geometry: Geometry { file_count: 2, file_bytes: 32_768, manifest_bytes: 32_768 },
        created: Realtime(0),
    };
    block_on(format(&BlockingDisk, scratch.path(), &settings)).expect("formatted");
    let directory = block_on(Directory::read(&BlockingDisk, scratch.path())).expect("listed");
    let look = Look { directory: scratch.path().to_owned(), json: false };
    let shards = ShardLook { look, shard: None };
    // Chosen by sequence, so that the lost unit is not among what was asked for.
    let look = JournalLook { shards, file: None, entries: false, deep: false, from: Some(1), to: None };
    let problem = |lost: &[(&str, u64)]| {
        let view = block_on(super::view(&FaultyDisk::losing(lost), &directory, ShardId(0), &look));
        assert_eq!(view.files.len(), 2);
        view.problem()
    };
    assert_eq!(problem(&[]), None);
    let said = problem(&[("journal-001", 8192)]).expect("a problem");
    assert_eq!(said, "shard 0: shard-0/journal-001: the disk cannot read 4096 bytes of it");
}
