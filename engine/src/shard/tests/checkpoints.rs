//! Checkpoints: answered when in force, careful with slots, never fatal for want of space.

use bytes::Bytes;

use super::rig::{Rig, SMALL, batch, disk_error, refused};
use crate::format::layout::Geometry;
use crate::format::manifest::{Manifest, Module};
use crate::format::stored::Stored;
use crate::format::superblock::FileUse;
use crate::io::DiskErrorKind;
use crate::limits::REQUESTS_WAITING_MAX;
use crate::model::{Id128, ShardId};
use crate::shard::{Refusal, Reply, Request};

fn failed_checkpoint(reply: Option<&Reply>) -> bool {
    matches!(reply, Some(Reply::Refused(Refusal::CheckpointFailed(_))))
}

#[test]
fn a_checkpoint_is_answered_when_manifest_and_superblock_are_durable() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"x"));
    let id = rig.ask(Request::Checkpoint);
    assert_eq!(rig.manifests.len(), 0, "the snapshot's last block is not durable");
    rig.finish_block();
    let generation_before = rig.shard.superblock.stored().manifest.generation;
    let write = rig.end_manifest(Ok(()));
    assert_eq!(rig.reply(id), None);
    let superblock = rig.finish_superblock();
    assert_eq!(rig.reply(id), Some(&Reply::Checkpointed { sequence: rig.shard.status().durable_sequence }));
    assert_ne!(write.slot, 0, "the slot in force is not written over");
    let named = superblock.manifest;
    assert_eq!((named.slot, named.checksum), (write.slot, write.manifest.checksum));
    assert!(named.generation > generation_before);
    let bytes = Bytes::from(write.manifest.bytes);
    let Stored::Present(manifest) = Manifest::decode(&bytes, Id128([8; 16]), ShardId(0)) else {
        panic!("the manifest cannot be read")
    };
    assert!(Module::ALL.iter().all(|module| manifest.section(*module).is_some()));
}

#[test]
fn checkpoints_go_round_the_slots_and_never_into_the_one_in_force() {
    let (mut rig, _) = Rig::with_partition();
    for _ in 0..7 {
        rig.ask(Request::Checkpoint);
        let in_force = rig.shard.superblock.stored().manifest.slot;
        let write = rig.end_manifest(Ok(()));
        assert_ne!(write.slot, in_force);
        rig.finish_superblock();
        assert_eq!(rig.shard.superblock.stored().manifest.slot, write.slot);
    }
}

#[test]
fn who_asks_while_a_checkpoint_is_under_way_waits_for_the_next_one() {
    let (mut rig, partition) = Rig::with_partition();
    let first = rig.ask(Request::Checkpoint);
    rig.capture(partition, batch(b"x"));
    rig.settle_blocks();
    let second = rig.ask(Request::Checkpoint);
    rig.end_manifest(Ok(()));
    rig.finish_superblock();
    let Some(Reply::Checkpointed { sequence }) = rig.reply(first).cloned() else { panic!("no first checkpoint") };
    assert_eq!((rig.reply(second), rig.writes.len()), (None, 1), "what is durable is taken to rest first");
    rig.end_write(&Ok(()));
    assert_eq!((rig.reply(second), rig.manifests.len()), (None, 1));
    rig.settle();
    let Some(Reply::Checkpointed { sequence: later }) = rig.reply(second) else { panic!("no second checkpoint") };
    assert!(*later > sequence);
}

#[test]
fn a_failed_manifest_is_reported_and_its_slot_left_alone() {
    let (mut rig, _) = Rig::with_partition();
    let id = rig.ask(Request::Checkpoint);
    let lost = rig.end_manifest(Err(disk_error(DiskErrorKind::Failed)));
    assert!(failed_checkpoint(rig.reply(id)));
    assert_eq!(rig.failed, []);
    let id = rig.ask(Request::Checkpoint);
    let write = rig.end_manifest(Ok(()));
    assert_ne!(write.slot, lost.slot);
    rig.settle();
    assert!(matches!(rig.reply(id), Some(Reply::Checkpointed { .. })));
}

#[test]
fn the_second_failed_manifest_in_a_row_stops_the_shard() {
    let (mut rig, partition) = Rig::with_partition();
    for _ in 0..2 {
        rig.ask(Request::Checkpoint);
        assert_eq!(rig.failed, []);
        rig.end_manifest(Err(disk_error(DiskErrorKind::Failed)));
    }
    assert_eq!(rig.failed.len(), 1);
    let capture = Request::Capture { partition, batch: batch(b"x") };
    assert_eq!(rig.answer(capture), refused(Refusal::ShardUnavailable(ShardId(0))));
}

#[test]
fn a_shard_never_stops_for_want_of_space_in_a_manifest() {
    let (mut rig, partition) = Rig::with_partition();
    for _ in 0..10 {
        let id = rig.ask(Request::Checkpoint);
        rig.end_manifest(Err(disk_error(DiskErrorKind::NoSpace)));
        assert!(failed_checkpoint(rig.reply(id)));
    }
    let capture = rig.capture(partition, batch(b"x"));
    rig.settle();
    assert!(matches!(rig.reply(capture), Some(Reply::Captured { .. })));
    let id = rig.ask(Request::Checkpoint);
    rig.settle();
    assert!(matches!(rig.reply(id), Some(Reply::Checkpointed { .. })));
}

/// A shard whose two small files are both in use, the first of them for nothing that is still needed.
fn nearly_full() -> Rig {
    let mut rig = Rig::serving_with(ShardId(0), 1, Geometry { file_count: 2, file_bytes: 32 * 1024, ..SMALL }, 1);
    while rig.manifests.is_empty() {
        rig.ask(Request::ConfirmClock);
        while !rig.blocks.is_empty() || !rig.superblocks.is_empty() {
            if rig.blocks.is_empty() { drop(rig.finish_superblock()) } else { rig.finish_block() }
        }
    }
    rig
}

#[test]
fn a_file_that_nothing_needs_is_freed_when_the_last_one_is_in_use() {
    let mut rig = nearly_full();
    assert_eq!(rig.shard.status().unused_ring_file_count, 0);
    rig.end_manifest(Ok(()));
    let superblock = rig.finish_superblock();
    assert!(superblock.files.iter().any(|file| file.state == FileUse::Free));
    rig.settle();
    assert_eq!(rig.shard.status().unused_ring_file_count, 1);
    for _ in 0..100 {
        let id = rig.ask(Request::ConfirmClock);
        rig.settle();
        assert_eq!(rig.reply(id), Some(&Reply::ClockConfirmed), "the ring goes round");
    }
}

#[test]
fn a_checkpoint_that_found_no_space_is_not_tried_again_at_once() {
    let mut rig = nearly_full();
    rig.end_manifest(Err(disk_error(DiskErrorKind::NoSpace)));
    assert_eq!(rig.manifests.len(), 0, "it would be tried for ever without a pause");
}

#[test]
fn waiting_checkpoint_requests_are_bounded() {
    let (mut rig, _) = Rig::with_partition();
    for _ in 0..=REQUESTS_WAITING_MAX {
        rig.ask(Request::Checkpoint);
    }
    assert_eq!(rig.answer(Request::Checkpoint), refused(Refusal::Busy(ShardId(0))));
}

#[test]
fn a_file_whose_batches_are_still_needed_is_not_freed() {
    let (mut rig, partition) = Rig::with_partition();
    rig.disk_full = true;
    for _ in 0..40 {
        rig.capture(partition, batch(&[7; 3000]));
        rig.settle();
    }
    rig.ask(Request::Checkpoint);
    rig.end_manifest(Ok(()));
    let superblock = rig.finish_superblock();
    let used = superblock.files.iter().filter(|file| file.last_sequence.0 > 0);
    assert!(used.clone().count() >= 3 && used.clone().all(|file| file.state != FileUse::Free));
    assert_eq!(rig.shown(partition, 0).0.len(), 40);
}
