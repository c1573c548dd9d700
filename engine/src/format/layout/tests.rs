use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::format::block::block_bytes;
use crate::format::control::Entry;
use crate::model::{PartitionId, Realtime};

fn small() -> Geometry {
    Geometry { file_count: 2, file_bytes: 32 * 1024, manifest_bytes: 32 * 1024 }
}

#[test]
fn the_default_geometry_and_the_smallest_and_largest_are_allowed() {
    let largest = Geometry {
        file_count: limits::RING_FILE_COUNT_MAX,
        file_bytes: limits::RING_FILE_BYTES_MAX,
        manifest_bytes: limits::MANIFEST_BYTES_MAX,
    };
    for geometry in [Geometry::default(), small(), largest] {
        assert_eq!(geometry.check(), Ok(()));
    }
}

#[test]
fn sizes_outside_the_limits_or_off_the_unit_are_refused_by_name() {
    for file_count in [0, 1, limits::RING_FILE_COUNT_MAX + 1, u16::MAX] {
        assert_eq!(Geometry { file_count, ..small() }.check(), Err(GeometryError::FileCount(file_count)));
    }
    for file_bytes in [0, 28 * 1024, 32 * 1024 + 1, 32 * 1024 + 512, limits::RING_FILE_BYTES_MAX + 4096, u64::MAX] {
        assert_eq!(Geometry { file_bytes, ..small() }.check(), Err(GeometryError::FileBytes(file_bytes)));
    }
    for manifest_bytes in [0, 28 * 1024, 32 * 1024 + 1, limits::MANIFEST_BYTES_MAX + 4096, u64::MAX] {
        assert_eq!(Geometry { manifest_bytes, ..small() }.check(), Err(GeometryError::ManifestBytes(manifest_bytes)));
    }
}

#[test]
fn every_file_of_a_shard_has_its_own_name() {
    let shard = shard_path(Path::new("data"), ShardId(7));
    assert_eq!(shard, Path::new("data/shard-7"));
    let geometry = Geometry { file_count: limits::RING_FILE_COUNT_MAX, ..small() };
    let mut names: Vec<_> = geometry.files().map(|file| journal_path(&shard, file)).collect();
    names.extend((0..limits::MANIFEST_SLOT_COUNT).map(|slot| manifest_path(&shard, slot)));
    names.extend([Copy::A, Copy::B].map(|copy| superblock_path(&shard, copy)));
    assert_eq!(names[0], Path::new("data/shard-7/journal-000"));
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert!(names.iter().all(|name| name.starts_with(&shard)));
    assert_ne!(identity_path(Path::new("data")), identity_draft_path(Path::new("data")));
}

fn any_geometry() -> impl Strategy<Value = Geometry> {
    let units = |from: u64, to: u64| (from / 4096..=to / 4096).prop_map(|units| units * 4096);
    let file_bytes = units(limits::RING_FILE_BYTES_MIN, limits::RING_FILE_BYTES_MAX);
    let manifest_bytes = units(limits::MANIFEST_BYTES_MIN, limits::MANIFEST_BYTES_MAX);
    (limits::RING_FILE_COUNT_MIN..=limits::RING_FILE_COUNT_MAX, file_bytes, manifest_bytes)
        .prop_map(|(file_count, file_bytes, manifest_bytes)| Geometry { file_count, file_bytes, manifest_bytes })
}

proptest! {
    #[test]
    fn the_largest_batch_fits_into_the_largest_block_and_that_into_a_file(geometry in any_geometry()) {
        prop_assert_eq!(geometry.check(), Ok(()));
        let batch = bytes::Bytes::from(vec![0; geometry.batch_bytes_max()]);
        let entry = Entry::Batch { partition: PartitionId::default(), append_time: Realtime(0), undecided: 0, batch };
        prop_assert!(block_bytes(entry.encoded_bytes()) <= geometry.block_bytes_max());
        prop_assert!(geometry.block_bytes_max() as u64 <= geometry.file_bytes);
        prop_assert!(geometry.block_bytes_max().is_multiple_of(UNIT_BYTES));
    }

    #[test]
    fn the_reserve_is_whole_units_and_leaves_at_least_half_of_the_file_to_captures(geometry in any_geometry()) {
        prop_assert!(geometry.reserve_bytes().is_multiple_of(UNIT_BYTES as u64));
        prop_assert!(geometry.reserve_bytes() >= 2 * UNIT_BYTES as u64);
        // The least number of units weighs most in the smallest file, of eight.
        prop_assert!(geometry.reserve_bytes() <= geometry.file_bytes / 2);
        prop_assert!(geometry.reserve_bytes() <= (geometry.file_bytes / 8).max(4 * UNIT_BYTES as u64));
    }

    #[test]
    fn alignment_rounds_up_by_less_than_a_unit(bytes in 0..1usize << 40) {
        let aligned = unit_aligned(bytes);
        prop_assert!(aligned.is_multiple_of(UNIT_BYTES) && aligned >= bytes && aligned - bytes < UNIT_BYTES);
    }
}
