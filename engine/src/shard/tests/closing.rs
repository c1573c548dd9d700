//! Closing in order: everybody is answered, and nothing is written behind the end.

use super::rig::{Rig, SECOND_NS, SMALL, batch, captured, create, disk_error, refused};
use crate::catalogue::{CatalogueMessage, TopicDescriptor};
use crate::format::superblock::FileUse;
use crate::io::DiskErrorKind;
use crate::limits::CLOSING_REST_NS_MAX;
use crate::model::{ShardId, TopicId};
use crate::shard::{Event, Refusal, Reply, Request};

#[test]
fn a_shard_closes_with_a_manifest_then_a_clean_superblock_then_its_end() {
    let (mut rig, partition) = Rig::with_partition();
    let waiting = rig.capture(partition, batch(b"x"));
    rig.event(Event::Shutdown);
    assert_eq!((rig.manifests.len(), rig.superblocks.len(), rig.stopped), (0, 0, None), "the block comes first");
    rig.finish_block();
    assert_eq!(rig.reply(waiting), Some(&captured(0, rig.now.realtime)));
    assert_eq!((rig.writes.len(), rig.manifests.len(), rig.stopped), (1, 0, None), "then what it holds comes to rest");
    rig.end_write(&Ok(()));
    assert_eq!((rig.manifests.len(), rig.superblocks.len(), rig.stopped), (1, 0, None));
    rig.end_manifest(Ok(()));
    let naming = rig.finish_superblock();
    let closing = if naming.clean { naming } else { rig.finish_superblock() };
    assert!(closing.clean);
    assert_eq!(closing.confirmed_sequence, rig.shard.status().appended_sequence);
    assert_eq!(closing.manifest.slot, 1);
    assert_eq!(rig.stopped, Some(true));
}

#[test]
fn the_ring_of_a_shard_that_closed_holds_nothing() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"x"));
    rig.settle();
    rig.event(Event::Shutdown);
    rig.settle();
    assert_eq!(rig.stopped, Some(true));
    let closed = rig.shard.superblock.stored();
    assert!(closed.clean && closed.files.iter().all(|file| file.confirmed_bytes == 0), "{:?}", closed.files);
}

#[test]
fn what_finds_no_space_at_rest_stays_in_the_ring_of_a_shard_that_closed() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"x"));
    rig.settle();
    rig.disk_full = true;
    rig.event(Event::Shutdown);
    rig.settle();
    assert_eq!(rig.stopped, Some(true));
    let closed = rig.shard.superblock.stored();
    let held: Vec<_> = closed.files.iter().filter(|file| file.confirmed_bytes > 0).collect();
    assert!(closed.clean);
    let [held] = held[..] else { panic!("{:?}", closed.files) };
    assert_eq!((held.state, held.last_sequence), (FileUse::Open, closed.confirmed_sequence));
}

#[test]
fn a_last_manifest_that_is_refused_leaves_the_file_that_was_written_open_to_go_on_in() {
    let mut rig = closing();
    rig.finish_superblock();
    assert_eq!(rig.stopped, Some(true));
    let closed = rig.shard.superblock.stored();
    let open = closed.files.iter().find(|file| file.confirmed_bytes > 0).unwrap();
    assert_eq!((closed.clean, open.state, open.last_sequence), (true, FileUse::Open, closed.confirmed_sequence));
}

#[test]
fn an_end_that_takes_long_leaves_no_block_in_the_next_file() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"x"));
    rig.settle_blocks();
    rig.event(Event::Shutdown);
    rig.settle_blocks();
    while rig.stopped.is_none() {
        rig.tick_after(SECOND_NS);
        if !rig.blocks.is_empty() {
            rig.finish_block();
        } else if !rig.writes.is_empty() {
            rig.end_write(&Ok(()));
        } else if !rig.manifests.is_empty() {
            rig.end_manifest(Ok(()));
        } else if !rig.superblocks.is_empty() {
            rig.finish_superblock();
        }
    }
    let closed = rig.shard.superblock.stored();
    assert!(closed.clean && closed.files.iter().all(|file| file.confirmed_bytes == 0), "{:?}", closed.files);
}

#[test]
fn what_takes_too_long_to_come_to_rest_stays_in_the_journal() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"x"));
    rig.settle();
    // Somebody is still to be answered, and nothing is written before.
    rig.capture(partition, batch(b"y"));
    rig.event(Event::Shutdown);
    rig.pass(CLOSING_REST_NS_MAX);
    rig.settle_blocks();
    assert_eq!((rig.writes.len(), rig.manifests.len()), (0, 1));
    rig.settle();
    assert_eq!(rig.stopped, Some(true));
    assert!(rig.shard.superblock.stored().files.iter().any(|file| file.confirmed_bytes > 0));
}

#[test]
fn requests_while_and_after_closing_are_refused_as_stopping() {
    let (mut rig, partition) = Rig::with_partition();
    rig.event(Event::Shutdown);
    let stopping = refused(Refusal::Stopping(ShardId(0)));
    assert_eq!(rig.answer(Request::Capture { partition, batch: batch(b"x") }), stopping);
    assert_eq!(rig.answer(Request::Checkpoint), stopping);
    rig.settle();
    assert_eq!(rig.stopped, Some(true));
    rig.stopped = None;
    assert_eq!(rig.answer(Request::Metadata), stopping);
}

#[test]
fn a_shard_that_cannot_write_its_last_manifest_still_closes_clean() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"x"));
    rig.settle();
    rig.event(Event::Shutdown);
    rig.end_write(&Ok(()));
    rig.end_manifest(Err(disk_error(DiskErrorKind::NoSpace)));
    assert!(rig.finish_superblock().clean);
    assert_eq!(rig.stopped, Some(true));
}

/// Brings a shard to where its clean superblock is being written.
fn closing() -> Rig {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"x"));
    rig.settle();
    rig.event(Event::Shutdown);
    rig.end_write(&Ok(()));
    rig.end_manifest(Err(disk_error(DiskErrorKind::NoSpace)));
    assert!(rig.superblocks[0].clean);
    rig
}

#[test]
fn time_that_passes_while_the_end_is_written_writes_nothing_behind_it() {
    let mut rig = closing();
    for _ in 0..3 {
        rig.tick_after(60 * SECOND_NS);
        assert_eq!(rig.blocks.len(), 0);
    }
    rig.finish_superblock();
    assert_eq!((rig.stopped, rig.blocks.len()), (Some(true), 0));
}

#[test]
fn messages_that_arrive_while_the_end_is_written_write_nothing_behind_it() {
    let mut rig = closing();
    let descriptor = TopicDescriptor::new(TopicId(2), "late", vec![ShardId(0)]).unwrap();
    let messages = [
        CatalogueMessage::Open { version: 9, descriptor },
        CatalogueMessage::Close { version: 9, topic: TopicId(1) },
        CatalogueMessage::Opened { topic: TopicId(1), revision: 1 },
        CatalogueMessage::Closed { topic: TopicId(1) },
        CatalogueMessage::CopyRequest { have: None, cursor: Default::default() },
    ];
    for message in messages {
        rig.event(Event::Message { from: ShardId(0), message: message.into() });
        assert_eq!(rig.blocks.len(), 0);
    }
    rig.finish_superblock();
    assert_eq!((rig.stopped, rig.blocks.len()), (Some(true), 0));
}

#[test]
fn a_message_before_the_end_is_written_is_part_of_it() {
    let (mut rig, _) = Rig::with_partition();
    rig.event(Event::Shutdown);
    assert_eq!(rig.manifests.len(), 1);
    let descriptor = TopicDescriptor::new(TopicId(2), "late", vec![ShardId(0)]).unwrap();
    rig.event(Event::Message { from: ShardId(0), message: CatalogueMessage::Open { version: 9, descriptor }.into() });
    let mut last = None;
    while rig.stopped.is_none() {
        if !rig.blocks.is_empty() && rig.manifests.is_empty() {
            rig.finish_block();
        } else if !rig.manifests.is_empty() {
            rig.end_manifest(Ok(()));
        } else {
            last = Some(rig.finish_superblock());
        }
    }
    let last = last.unwrap();
    assert!(last.clean);
    assert_eq!(last.confirmed_sequence, rig.shard.status().appended_sequence);
}

#[test]
fn a_client_that_waits_for_a_catalogue_change_is_answered_before_the_end() {
    let mut rig = Rig::serving_with(ShardId(0), 2, SMALL, 1);
    let id = rig.ask(create("payments", 2));
    rig.settle();
    assert_eq!(rig.reply(id), None, "shard 1 has not answered");
    rig.event(Event::Shutdown);
    rig.settle();
    assert_eq!(rig.stopped, Some(true));
    let Some(Reply::Refused(refusal)) = rig.reply(id) else { panic!("{:?}", rig.reply(id)) };
    assert!(matches!(refusal, Refusal::StillWorking | Refusal::Stopping(_) | Refusal::OutcomeUnknown(_)));
}

#[test]
fn a_checkpoint_under_way_is_answered_before_the_end() {
    let (mut rig, _) = Rig::with_partition();
    let first = rig.ask(Request::Checkpoint);
    let second = rig.ask(Request::Checkpoint);
    rig.event(Event::Shutdown);
    rig.settle();
    for id in [first, second] {
        assert!(matches!(rig.reply(id), Some(Reply::Checkpointed { .. })));
    }
    assert_eq!(rig.stopped, Some(true));
}

#[test]
fn a_shard_that_is_still_starting_closes_clean() {
    let mut rig = Rig::unopened(ShardId(0), 1, SMALL, 1);
    rig.begin();
    rig.event(Event::Shutdown);
    assert_eq!(rig.stopped, None);
    rig.settle();
    assert_eq!(rig.stopped, Some(true));
}
