//! Slots on a real directory.

use super::*;
use crate::format::block::JournalName;
use crate::format::checksum::Chain;
use crate::format::superblock::RingFile;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::model::{Epoch, Id128, Sequence, ShardId};

const GEOMETRY: Geometry = Geometry { file_count: 4, file_bytes: 32 * 1024, manifest_bytes: 64 * 1024 };
const DIRECTORY: Id128 = Id128([3; 16]);

fn superblock(slot: u8, generation: u64) -> Superblock {
    Superblock {
        directory_id: DIRECTORY,
        name: JournalName { journal_id: Id128([7; 16]), shard: ShardId(0) },
        geometry: GEOMETRY,
        generation: 9,
        epoch: Epoch(2),
        epoch_first_sequence: Sequence(1),
        confirmed_sequence: Sequence(0),
        confirmed_chain: Chain(0),
        clean: false,
        manifest: ManifestName { slot, generation, checksum: 0 },
        files: vec![RingFile::default(); 4],
    }
}

fn manifest(generation: u64, sequence: u64) -> EncodedManifest {
    let (shard, sequence) = (ShardId(0), Sequence(sequence));
    let manifest = Manifest { directory_id: DIRECTORY, shard, generation, sequence, sections: Vec::new() };
    manifest.encode(GEOMETRY.manifest_bytes).expect("it is small")
}

#[test]
fn manifests_behind_the_one_in_force_say_what_was_durable_also_if_only_their_first_units_are_left() {
    block_on(async {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        for slot in 0..2 {
            let file = BlockingDisk.create(&manifest_path(path, slot), file_bytes(GEOMETRY)).await.expect("room");
            file.close().await;
        }
        let later = async |slot, generation| later_manifests(&BlockingDisk, path, &superblock(slot, generation)).await;
        assert_eq!(later(0, 5).await, LaterManifests::default(), "nothing was written, one slot is not there");
        write(&BlockingDisk, path, GEOMETRY, 0, &manifest(5, 40)).await.expect("room");
        write(&BlockingDisk, path, GEOMETRY, 1, &manifest(6, 77)).await.expect("room");
        assert_eq!(later(0, 5).await, LaterManifests { generation: 6, sequence: Sequence(77) });
        assert_eq!(later(1, 6).await, LaterManifests::default(), "the one in slot 0 is older");
        assert_eq!(later(2, 6).await, LaterManifests::default());
        let file = BlockingDisk.open(&manifest_path(path, 1), Access::Durable).await.expect("it is there");
        let zero = file.allocate(UNIT_BYTES);
        file.write_durable(zero, copy_positions(GEOMETRY)[0]).await.result.expect("room");
        assert_eq!(later(0, 5).await.sequence, Sequence(77), "one copy is enough");
        let zero = file.allocate(UNIT_BYTES);
        file.write_durable(zero, copy_positions(GEOMETRY)[1]).await.result.expect("room");
        assert_eq!(later(0, 5).await, LaterManifests::default());
    });
}
