use super::*;
use crate::model::Offset;
use crate::segment::tests::{PARTITION, SIZES, batches, new_file};

#[test]
fn extents_follow_each_other_and_hold_every_batch_once() {
    let file = new_file(1, batches(10, 100, 300), false);
    let part = &file.parts[0];
    assert!(part.extents.len() > 5);
    let mut position = Position(0);
    for extent in &part.extents {
        assert_eq!(extent.position, position);
        assert!(extent.bytes <= SIZES.extent_bytes_target);
        position = position.plus(extent.bytes as u64);
    }
    let all: Vec<_> = part.extents.iter().flat_map(|extent| &extent.batches).cloned().collect();
    assert_eq!(all, batches(10, 100, 300));
    assert_eq!((file.end, part.run.end()), (position, position));
    assert_eq!((part.run.base_offset, part.run.next_offset), (Offset(10), Offset(110)));
    assert_eq!((part.run.first_append_time.0, part.run.last_append_time.0), (10, 109));
    assert_eq!(part.run.max_timestamp_ms, 1090);
}

#[test]
fn a_batch_larger_than_an_extents_target_has_one_of_its_own() {
    let file = new_file(1, batches(0, 3, 9000), false);
    assert_eq!(file.parts[0].extents.len(), 3);
}

#[test]
fn parts_stand_behind_each_other_and_a_part_without_batches_is_none() {
    let mut file = new_file(1, batches(0, 3, 10), true);
    file.add(PARTITION, Vec::new(), SIZES, 0);
    let other = PartitionId { index: 9, ..PARTITION };
    file.add(other, batches(7, 2, 10), SIZES, i64::MIN);
    assert_eq!(file.parts.len(), 2);
    assert_eq!(file.parts[1].run.position, file.parts[0].run.end());
    assert_eq!(file.parts[1].partition, other);
}

#[test]
fn the_latest_timestamp_runs_on_over_extents_and_from_the_run_before() {
    let mut file = FilePlan::new(SegmentId(1), false, Position(8192));
    file.add(PARTITION, batches(0, 60, 300), SIZES, 255);
    let latest: Vec<_> = file.parts[0].extents.iter().map(|extent| extent.max_timestamp_ms).collect();
    assert!(latest.windows(2).all(|pair| pair[0] <= pair[1]));
    assert_eq!((latest[0], latest.last()), (255, Some(&590)));
    assert_eq!(file.parts[0].extents[0].position, Position(8192));
}

#[test]
fn sizes_follow_the_ring_so_that_small_rings_have_small_extents() {
    let default = SegmentSizes::of(64 << 20);
    assert_eq!(
        default,
        SegmentSizes {
            extent_bytes_target: EXTENT_BYTES_TARGET,
            own_bytes_min: SEGMENT_OWN_BYTES_MIN,
            plan_batch_count: 8192,
            section_entry_count: 65_536
        }
    );
    let small = SegmentSizes::of(32 << 10);
    assert_eq!(
        small,
        SegmentSizes { extent_bytes_target: 4096, own_bytes_min: 8192, plan_batch_count: 8, section_entry_count: 32 }
    );
}
