use super::*;
use crate::format::stored::Stored;
use crate::io::Access;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::journal::write::{read_superblocks, read_whole};

const GEOMETRY: Geometry = Geometry { file_count: 2, file_bytes: 32 * 1024, manifest_bytes: 32 * 1024 };
const DIRECTORY_ID: Id128 = Id128([1; 16]);

fn settings() -> FormatSettings {
    let journal_ids = vec![Id128([2; 16]), Id128([3; 16])];
    FormatSettings { directory_id: DIRECTORY_ID, journal_ids, geometry: GEOMETRY, created: Realtime(99) }
}

fn formatted() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    block_on(format(&BlockingDisk, &directory, &settings())).unwrap();
    (parent, directory)
}

#[test]
fn a_formatted_directory_holds_every_file_at_its_final_size() {
    let (_parent, directory) = formatted();
    block_on(async {
        let names = BlockingDisk.list(&directory).await.unwrap();
        assert_eq!(names, ["identity", "shard-0", "shard-1"]);
        for shard in ["shard-0", "shard-1"] {
            let shard = directory.join(shard);
            let expected = [
                ("journal-000", 32 * 1024),
                ("journal-001", 32 * 1024),
                ("manifest-0", 64 * 1024),
                ("manifest-1", 64 * 1024),
                ("manifest-2", 64 * 1024),
                ("superblock-a", SUPERBLOCK_BYTES as u64),
                ("superblock-b", SUPERBLOCK_BYTES as u64),
            ];
            let names = BlockingDisk.list(&shard).await.unwrap();
            assert_eq!(names, expected.map(|(name, _)| name));
            for (name, bytes) in expected {
                let file = BlockingDisk.open(&shard.join(name), Access::Read).await.unwrap();
                assert_eq!(file.size_bytes(), bytes, "{name}");
            }
        }
    });
}

#[test]
fn both_identities_name_the_directory() {
    let (_parent, directory) = formatted();
    let bytes = block_on(read_whole(&BlockingDisk, &directory.join("identity"), IDENTITY_FILE_BYTES)).unwrap();
    let identity = Identity { directory_id: DIRECTORY_ID, shard_count: 2, created: Realtime(99) };
    for copy in bytes.chunks(IDENTITY_BYTES) {
        assert_eq!(Identity::decode(copy), Stored::Present(identity));
    }
}

#[test]
fn every_unit_of_the_journal_is_virgin_for_its_own_shard() {
    let (_parent, directory) = formatted();
    for (shard, journal_id) in [(0, Id128([2; 16])), (1, Id128([3; 16]))] {
        for file in GEOMETRY.files() {
            let path = layout::journal_path(&layout::shard_path(&directory, ShardId(shard)), file);
            let bytes = block_on(read_whole(&BlockingDisk, &path, 32 * 1024)).unwrap();
            for (unit, position) in bytes.chunks(UNIT_BYTES).zip((0..).step_by(UNIT_BYTES)) {
                assert!(virgin::matches(unit, journal_id, file, Position(position)), "byte {position}");
            }
        }
    }
}

#[test]
fn a_new_shard_is_clean_empty_and_its_manifest_can_be_read() {
    let (_parent, directory) = formatted();
    block_on(async {
        let shard = layout::shard_path(&directory, ShardId(1));
        let copies = read_superblocks(&BlockingDisk, &shard, DIRECTORY_ID, ShardId(1)).await;
        let chosen = copies.choose().unwrap();
        assert!(chosen.notes.is_empty());
        let superblock = chosen.superblock;
        assert!(superblock.clean && superblock.files == [RingFile::default(); 2]);
        assert_eq!((superblock.epoch, superblock.confirmed_sequence), (Epoch(0), Sequence(0)));
        let read = slot::read(&BlockingDisk, &shard, &superblock).await.unwrap();
        assert_eq!((read.manifest.sequence, read.manifest.sections.len(), read.notes.len()), (Sequence(0), 0, 0));
    });
}

#[test]
fn a_directory_that_holds_anything_is_left_alone() {
    let (_parent, directory) = formatted();
    let again = block_on(format(&BlockingDisk, &directory, &settings()));
    assert_eq!(again, Err(FormatError::AlreadyFormatted(directory)));
    for name in ["identity.draft", "photo.jpg", "shard-0"] {
        let directory = tempfile::tempdir().unwrap();
        block_on(BlockingDisk.create(&directory.path().join(name), 4096)).unwrap();
        let refused = block_on(format(&BlockingDisk, directory.path(), &settings())).unwrap_err();
        match refused {
            FormatError::Unfinished(_) => assert_eq!(name, "identity.draft"),
            FormatError::NotEmpty { name: found, .. } => assert_eq!(found, name),
            other => panic!("{name}: {other}"),
        }
        assert_eq!(block_on(BlockingDisk.list(directory.path())).unwrap(), [name]);
    }
}

#[test]
fn an_empty_directory_and_one_with_only_a_lock_are_formatted() {
    for lock in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        if lock {
            block_on(BlockingDisk.create(&directory.path().join(LOCK_NAME), 4096)).unwrap();
        }
        block_on(format(&BlockingDisk, directory.path(), &settings())).unwrap();
    }
}

#[test]
fn impossible_settings_are_refused_before_anything_is_made() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let none = FormatSettings { journal_ids: Vec::new(), ..settings() };
    let many = FormatSettings { journal_ids: vec![Id128([2; 16]); 257], ..settings() };
    let small = FormatSettings { geometry: Geometry { file_count: 1, ..GEOMETRY }, ..settings() };
    assert_eq!(block_on(format(&BlockingDisk, &directory, &none)), Err(FormatError::ShardCount(0)));
    assert_eq!(block_on(format(&BlockingDisk, &directory, &many)), Err(FormatError::ShardCount(257)));
    let refused = block_on(format(&BlockingDisk, &directory, &small));
    assert_eq!(refused, Err(FormatError::Geometry(GeometryError::FileCount(1))));
    assert_eq!(block_on(BlockingDisk.list(parent.path())).unwrap(), [""; 0]);
}
