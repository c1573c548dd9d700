//! Topics come and go through events alone.

use super::rig::{Rig, SECOND_NS, SMALL, batch, captured, create, refused};
use crate::catalogue::{CatalogueMessage, TopicDescriptor};
use crate::limits::CATALOGUE_WAIT_NS;
use crate::model::{PartitionId, ShardId, TopicId};
use crate::shard::{Event, Refusal, Reply, Request};

#[test]
fn a_topic_of_one_shard_is_created_step_by_durable_step() {
    let mut rig = Rig::serving();
    let id = rig.ask(create("payments", 1));
    assert_eq!((rig.messages.len(), rig.blocks.len()), (0, 1), "nothing is sent before Creating is durable");
    rig.finish_block();
    let (to, open) = rig.messages.pop_front().unwrap();
    assert!(matches!(open, CatalogueMessage::Open { .. }) && to == ShardId(0));
    rig.event(Event::Message { from: ShardId(0), message: open.into() });
    assert_eq!((rig.messages.len(), rig.blocks.len()), (0, 1), "nothing is answered before Opened is durable");
    rig.finish_block();
    let (_, opened) = rig.messages.pop_front().unwrap();
    assert_eq!(opened, CatalogueMessage::Opened { topic: TopicId(1), revision: 1 });
    rig.event(Event::Message { from: ShardId(0), message: opened.into() });
    assert_eq!(rig.reply(id), None, "nobody is told before Live is durable");
    let Reply::Topics { topics, .. } = rig.answer(Request::Metadata) else { panic!("no metadata") };
    assert_eq!(topics.len(), 0);
    rig.finish_block();
    let Some(Reply::TopicCreated(topic)) = rig.reply(id) else { panic!("{:?}", rig.reply(id)) };
    assert_eq!((topic.id(), topic.name(), topic.partition_count()), (TopicId(1), "payments", 1));
    let partition = PartitionId { topic: TopicId(1), index: 0 };
    assert_eq!(rig.shown(partition, 0), (vec![], 0));
}

#[test]
fn a_lost_message_is_sent_again_by_a_tick() {
    for lost in 0..2 {
        let mut rig = Rig::serving();
        let id = rig.ask(create("payments", 1));
        rig.finish_block();
        for _ in 0..lost {
            let (_, message) = rig.messages.pop_front().unwrap();
            rig.event(Event::Message { from: ShardId(0), message: message.into() });
            rig.finish_block();
        }
        rig.messages.clear();
        rig.settle();
        assert_eq!(rig.reply(id), None);
        assert!(rig.shard.next_deadline() <= rig.now.monotonic.plus_ns(SECOND_NS));
        rig.tick_after(SECOND_NS);
        rig.settle();
        assert!(matches!(rig.reply(id), Some(Reply::TopicCreated(_))), "message {lost} was lost");
    }
}

#[test]
fn a_doubled_message_changes_nothing() {
    let mut rig = Rig::serving();
    let id = rig.ask(create("payments", 1));
    for _ in 0..3 {
        while !rig.blocks.is_empty() {
            rig.finish_block();
        }
        for (_, message) in rig.messages.clone() {
            rig.event(Event::Message { from: ShardId(0), message: message.into() });
        }
    }
    rig.settle();
    assert!(matches!(rig.reply(id), Some(Reply::TopicCreated(_))));
    assert_eq!(rig.shard.status().partition_count, 1);
}

#[test]
fn a_topic_of_two_shards_is_live_when_both_have_opened_it() {
    let mut rig = Rig::serving_with(ShardId(0), 2, SMALL, 1);
    let id = rig.ask(create("payments", 2));
    rig.settle();
    assert_eq!(rig.reply(id), None, "shard 1 has not answered");
    let message = CatalogueMessage::Opened { topic: TopicId(1), revision: 1 };
    rig.event(Event::Message { from: ShardId(1), message: message.into() });
    rig.settle();
    assert!(matches!(rig.reply(id), Some(Reply::TopicCreated(_))));
    let elsewhere = PartitionId { topic: TopicId(1), index: 1 };
    let not_here = refused(Refusal::NotOwner { partition: elsewhere, owner: ShardId(1) });
    assert_eq!(rig.end(elsewhere), not_here);
    assert_eq!(rig.answer(Request::Capture { partition: elsewhere, batch: batch(b"x") }), not_here);
}

#[test]
fn a_client_that_waited_long_enough_is_told_to_ask_again() {
    let mut rig = Rig::serving_with(ShardId(0), 2, SMALL, 1);
    let id = rig.ask(create("payments", 2));
    rig.settle();
    rig.tick_after(CATALOGUE_WAIT_NS);
    assert_eq!(rig.reply(id), Some(&refused(Refusal::StillWorking)));
}

#[test]
fn only_shard_0_changes_the_catalogue() {
    let mut rig = Rig::serving_with(ShardId(1), 2, SMALL, 1);
    assert_eq!(rig.answer(create("payments", 1)), refused(Refusal::NotCoordinator));
    assert_eq!(rig.answer(Request::DeleteTopic { topic: TopicId(1) }), refused(Refusal::NotCoordinator));
    let Reply::Topics { complete, topics } = rig.answer(Request::Metadata) else { panic!("no metadata") };
    assert!(!complete && topics.is_empty());
}

#[test]
fn names_numbers_and_unknown_topics_are_refused_by_name() {
    let (mut rig, partition) = Rig::with_partition();
    assert_eq!(rig.answer(create("payments", 1)), refused(Refusal::NameTaken(partition.topic)));
    assert!(matches!(rig.answer(create("a b", 1)), Reply::Refused(Refusal::TopicName(_))));
    assert!(matches!(rig.answer(create("other", 0)), Reply::Refused(Refusal::PartitionCount { asked: 0, .. })));
    assert!(matches!(rig.answer(create("other", 4097)), Reply::Refused(Refusal::PartitionCount { asked: 4097, .. })));
    assert_eq!(rig.answer(create("payments", 4096)), refused(Refusal::NameTaken(partition.topic)));
    let unknown = Request::DeleteTopic { topic: TopicId(9) };
    assert_eq!(rig.answer(unknown), refused(Refusal::UnknownTopic(TopicId(9))));
}

#[test]
fn deletion_drops_the_data_and_the_id_is_never_used_again() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"x"));
    rig.settle();
    assert!(rig.shard.status().held_bytes > 0);
    let id = rig.ask(Request::DeleteTopic { topic: partition.topic });
    rig.settle();
    assert_eq!(rig.reply(id), Some(&Reply::TopicDeleted(partition.topic)));
    let status = rig.shard.status();
    assert_eq!((status.held_bytes, status.partition_count), (0, 0));
    let gone = refused(Refusal::UnknownPartition(partition));
    assert_eq!(rig.answer(Request::Capture { partition, batch: batch(b"y") }), gone);
    assert_eq!(rig.end(partition), gone);
    let again = rig.create("payments");
    assert_eq!(again.topic, TopicId(partition.topic.0 + 1));
    assert_eq!(rig.shown(again, 0), (vec![], 0));
    let id = rig.capture(again, batch(b"y"));
    rig.settle();
    assert_eq!(rig.reply(id), Some(&captured(0, rig.now.realtime)));
}

#[test]
fn a_capture_in_flight_is_answered_although_its_topic_is_being_deleted() {
    let (mut rig, partition) = Rig::with_partition();
    let capture = rig.capture(partition, batch(b"x"));
    let delete = rig.ask(Request::DeleteTopic { topic: partition.topic });
    rig.settle();
    assert_eq!(rig.reply(capture), Some(&captured(0, rig.now.realtime)));
    assert_eq!(rig.reply(delete), Some(&Reply::TopicDeleted(partition.topic)));
}

/// Fills the journal with captures until it is full, on a disk that has no room for segment files.
pub(super) fn fill(rig: &mut Rig, partition: PartitionId) {
    rig.disk_full = true;
    for _ in 0..100_000 {
        let id = rig.capture(partition, batch(&[7; 3000]));
        rig.settle();
        if rig.replies.remove(&id) == Some(refused(Refusal::JournalFull(rig.id))) {
            return;
        }
    }
    panic!("the journal never was full");
}

#[test]
fn a_full_journal_refuses_captures_and_a_deleted_topic_makes_room_again() {
    for file_bytes in [1024 * 1024, 256 * 1024, 128 * 1024, 64 * 1024, 32 * 1024] {
        let geometry = crate::format::layout::Geometry { file_count: 2, file_bytes, ..SMALL };
        let mut rig = Rig::serving_with(ShardId(0), 1, geometry, 1);
        let partition = rig.create("payments");
        fill(&mut rig, partition);
        let (batches, end) = rig.shown(partition, 0);
        assert_eq!((batches[0], end > 0), (0, true));
        let delete = rig.ask(Request::DeleteTopic { topic: partition.topic });
        rig.settle();
        let deleted = Some(&Reply::TopicDeleted(partition.topic));
        assert_eq!(rig.reply(delete), deleted, "files of {file_bytes} bytes");
        let partition = rig.create("other");
        let id = rig.capture(partition, batch(b"x"));
        rig.settle();
        assert_eq!(rig.reply(id), Some(&captured(0, rig.now.realtime)), "files of {file_bytes} bytes");
    }
}

#[test]
fn a_client_that_creates_topics_cannot_use_up_the_room_for_deletions() {
    let geometry = crate::format::layout::Geometry { file_count: 2, file_bytes: 64 * 1024, ..SMALL };
    let mut rig = Rig::serving_with(ShardId(0), 1, geometry, 1);
    let partition = rig.create("payments");
    fill(&mut rig, partition);
    for number in 0..50 {
        let create = rig.ask(create(&format!("x{number}"), 1));
        rig.settle();
        assert_eq!(rig.reply(create), Some(&refused(Refusal::JournalFull(ShardId(0)))), "create {number}");
    }
    let delete = rig.ask(Request::DeleteTopic { topic: partition.topic });
    rig.settle();
    assert_eq!(rig.reply(delete), Some(&Reply::TopicDeleted(partition.topic)));
}

#[test]
fn restarts_of_a_full_shard_use_up_no_room_for_deletions() {
    let geometry = crate::format::layout::Geometry { file_count: 2, file_bytes: 64 * 1024, ..SMALL };
    let mut rig = Rig::serving_with(ShardId(0), 1, geometry, 1);
    let partition = rig.create("payments");
    fill(&mut rig, partition);
    for _ in 0..50 {
        rig = rig.crashed();
        rig.begin();
        rig.settle();
    }
    let delete = rig.ask(Request::DeleteTopic { topic: partition.topic });
    rig.settle();
    assert_eq!(rig.reply(delete), Some(&Reply::TopicDeleted(partition.topic)));
}

#[test]
fn a_shard_that_crashed_with_a_full_journal_can_still_delete_topics() {
    let geometry = crate::format::layout::Geometry { file_count: 2, file_bytes: 1024 * 1024, ..SMALL };
    let mut rig = Rig::serving_with(ShardId(0), 1, geometry, 1);
    let partition = rig.create("payments");
    fill(&mut rig, partition);
    let end = rig.shown(partition, 0).1;
    let mut rig = rig.crashed();
    rig.begin();
    rig.settle();
    assert_eq!(rig.shown(partition, 0).1, end, "what was recovered is served");
    let delete = rig.ask(Request::DeleteTopic { topic: partition.topic });
    rig.settle();
    assert_eq!(rig.reply(delete), Some(&Reply::TopicDeleted(partition.topic)));
}

#[test]
fn deletions_that_free_nothing_leave_room_for_the_one_that_does() {
    for file_bytes in [512 * 1024, 256 * 1024, 128 * 1024, 64 * 1024] {
        let geometry = crate::format::layout::Geometry { file_count: 4, file_bytes, manifest_bytes: 64 * 1024 };
        let mut rig = Rig::serving_with(ShardId(0), 1, geometry, 1);
        let small: Vec<_> = (0..30).map(|number| rig.create(&format!("x{number}"))).collect();
        let partition = rig.create("payments");
        fill(&mut rig, partition);
        let delete = |rig: &mut Rig, topic: TopicId| {
            let id = rig.ask(Request::DeleteTopic { topic });
            rig.settle();
            rig.replies.remove(&id).expect("it is answered")
        };
        let answers: Vec<_> = small.iter().map(|small| (small.topic, delete(&mut rig, small.topic))).collect();
        let full = refused(Refusal::JournalFull(ShardId(0)));
        assert_eq!(answers.last().map(|(_, answer)| answer), Some(&full), "files of {file_bytes} bytes");
        assert_eq!(delete(&mut rig, partition.topic), Reply::TopicDeleted(partition.topic));
        for (topic, _) in answers.iter().filter(|(_, answer)| *answer == full) {
            assert_eq!(delete(&mut rig, *topic), Reply::TopicDeleted(*topic), "files of {file_bytes} bytes");
        }
    }
}

#[test]
fn an_owner_keeps_room_to_close_the_topic_that_frees_a_file() {
    let mut rig = Rig::serving_with(ShardId(1), 2, SMALL, 1);
    let open = |rig: &mut Rig, topic: u64, name: &str| {
        let descriptor = TopicDescriptor::new(TopicId(topic), name, vec![ShardId(1)]).expect("it is right");
        let message = CatalogueMessage::Open { version: topic, descriptor };
        rig.event(Event::Message { from: ShardId(0), message: message.into() });
        rig.settle();
    };
    (1..=10).for_each(|topic| open(&mut rig, topic, &format!("x{topic}")));
    open(&mut rig, 11, "payments");
    let partition = PartitionId { topic: TopicId(11), index: 0 };
    fill(&mut rig, partition);
    let mut is_closed = |topic: u64| {
        let message = CatalogueMessage::Close { version: 100 + topic, topic: TopicId(topic) };
        let before = rig.shard.status().partition_count;
        rig.event(Event::Message { from: ShardId(0), message: message.into() });
        rig.settle();
        rig.shard.status().partition_count < before
    };
    let waiting: Vec<_> = (1..=10).filter(|topic| !is_closed(*topic)).collect();
    assert!(!waiting.is_empty(), "the reserve is not that large");
    assert!(is_closed(11), "it frees files");
    assert!(waiting.into_iter().all(is_closed), "there is room again");
}
