use super::*;
use crate::format::block::JournalName;
use crate::format::checksum::Chain;
use crate::format::layout::Geometry;
use crate::format::superblock::{ManifestName, RingFile};
use crate::io::blocking::{BlockingDisk, block_on};
use crate::model::{Epoch, Sequence};

const DIRECTORY_ID: Id128 = Id128([1; 16]);

fn superblock(generation: u64) -> Superblock {
    Superblock {
        directory_id: DIRECTORY_ID,
        name: JournalName { journal_id: Id128([2; 16]), shard: ShardId(0) },
        geometry: Geometry { file_count: 2, file_bytes: 32 * 1024, manifest_bytes: 32 * 1024 },
        generation,
        epoch: Epoch(1),
        epoch_first_sequence: Sequence(1),
        confirmed_sequence: Sequence(0),
        confirmed_chain: Chain(0),
        clean: true,
        manifest: ManifestName { slot: 0, generation: 1, checksum: 0 },
        files: vec![RingFile::default(); 2],
    }
}

fn choose(a: Stored<Superblock>, b: Stored<Superblock>) -> Result<ChosenSuperblock, NoSuperblock> {
    SuperblockCopies { a, b }.choose()
}

#[test]
fn the_newer_copy_is_chosen_and_the_other_is_written_over_first() {
    for (a, b, generation, first) in [(5, 4, 5, Copy::B), (4, 5, 5, Copy::A), (5, 5, 5, Copy::B)] {
        let chosen = choose(Stored::Present(superblock(a)), Stored::Present(superblock(b))).unwrap();
        assert_eq!((chosen.superblock.generation, chosen.overwrite_first), (generation, first));
        assert_eq!(chosen.notes, [""; 0]);
    }
}

#[test]
fn one_usable_copy_is_enough_and_the_other_is_reported_and_mended_first() {
    let broken = [Stored::Absent, Stored::Damaged("torn".to_owned()), Stored::OtherVersion(9)];
    for other in broken {
        let chosen = choose(Stored::Present(superblock(5)), other.clone()).unwrap();
        assert_eq!((chosen.superblock.generation, chosen.overwrite_first), (5, Copy::B));
        assert!(chosen.notes.len() == 1 && chosen.notes[0].contains("superblock b"), "{:?}", chosen.notes);
        let chosen = choose(other, Stored::Present(superblock(5))).unwrap();
        assert_eq!((chosen.superblock.generation, chosen.overwrite_first), (5, Copy::A));
        assert!(chosen.notes.len() == 1 && chosen.notes[0].contains("superblock a"), "{:?}", chosen.notes);
    }
}

#[test]
fn copies_that_claim_the_same_generation_and_differ_are_not_used() {
    let other = Superblock { clean: !superblock(5).clean, ..superblock(5) };
    assert!(choose(Stored::Present(superblock(5)), Stored::Present(other)).is_err());
}

#[test]
fn a_copy_of_an_older_epoch_loses_whatever_its_generation() {
    let late = Superblock { epoch: Epoch(1), ..superblock(6) };
    let current = Superblock { epoch: Epoch(2), ..superblock(6) };
    let chosen = choose(Stored::Present(late), Stored::Present(current)).unwrap();
    assert_eq!((chosen.superblock.epoch, chosen.overwrite_first), (Epoch(2), Copy::A));
}

#[test]
fn no_usable_copy_is_an_error_that_says_what_is_wrong_with_each() {
    let error = choose(Stored::Absent, Stored::OtherVersion(9)).unwrap_err();
    assert!(error.a.contains("missing") && error.b.contains("version 9"), "{error}");
}

#[test]
fn both_copies_are_written_and_read_again() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        for copy in [Copy::A, Copy::B] {
            let path = superblock_path(directory.path(), copy);
            BlockingDisk.create(&path, SUPERBLOCK_BYTES as u64).await.unwrap();
        }
        let read = async || read_superblocks(&BlockingDisk, directory.path(), DIRECTORY_ID, ShardId(0)).await;
        let copies = read().await;
        assert_eq!((copies.a, copies.b), (Stored::Absent, Stored::Absent));
        let files = SuperblockFiles::open(&BlockingDisk, directory.path()).await.unwrap();
        files.write(&superblock(7), Copy::B).await.unwrap();
        let copies = read().await;
        assert_eq!((copies.a, copies.b), (Stored::Present(superblock(7)), Stored::Present(superblock(7))));
        BlockingDisk.remove(&superblock_path(directory.path(), Copy::A)).await.unwrap();
        assert_eq!(read().await.choose().unwrap().superblock, superblock(7));
    });
}
