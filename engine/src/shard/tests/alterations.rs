//! Topics altered through events alone.

use super::rig::{Rig, SECOND_NS, SMALL, batch, captured, create, refused, stamped};
use super::topics::fill;
use crate::catalogue::{CatalogueMessage, Setting, TopicChange, TopicDescriptor, TopicSettings};
use crate::format::layout::Geometry;
use crate::limits::TOPIC_PARTITION_COUNT_MAX;
use crate::model::{PartitionId, ShardId, TopicId};
use crate::shard::{Event, Refusal, Reply, Request};

const TOPIC: TopicId = TopicId(1);

fn alter(change: TopicChange) -> Request {
    Request::AlterTopic { topic: TOPIC, change }
}

fn partitions(partition_count: u32) -> TopicChange {
    TopicChange { partition_count: Some(partition_count), ..TopicChange::default() }
}

fn records(record_bytes_max: u32) -> TopicChange {
    TopicChange { record_bytes_max: Some(record_bytes_max), ..TopicChange::default() }
}

fn partition(index: u32) -> PartitionId {
    PartitionId { topic: TOPIC, index }
}

/// The only topic as metadata shows it.
fn shown(rig: &mut Rig) -> TopicDescriptor {
    let Reply::Topics { topics, .. } = rig.answer(Request::Metadata) else { panic!("no metadata") };
    topics.into_iter().next().expect("the topic is live")
}

fn altered(rig: &mut Rig, change: TopicChange) -> TopicDescriptor {
    let id = rig.ask(alter(change));
    rig.settle();
    let Some(Reply::TopicAltered(topic)) = rig.replies.remove(&id) else { panic!("not altered") };
    topic
}

/// Hands the next message, which is for this shard, to it.
fn deliver(rig: &mut Rig) -> CatalogueMessage {
    let (to, message) = rig.messages.pop_front().expect("a message is under way");
    assert_eq!(to, rig.id);
    rig.event(Event::Message { from: rig.id, message: message.clone().into() });
    message
}

#[test]
fn a_topic_of_one_shard_is_altered_step_by_durable_step() {
    let (mut rig, first) = Rig::with_partition();
    rig.capture(first, batch(b"x"));
    rig.settle();
    let change = TopicChange { retention_bytes: Some(Some(1 << 30)), ..partitions(3) };
    let id = rig.ask(alter(change));
    assert_eq!((rig.messages.len(), rig.blocks.len()), (0, 1), "nothing is sent before Altering is durable");
    rig.finish_block();
    assert!(matches!(deliver(&mut rig), CatalogueMessage::Open { .. }));
    assert_eq!((rig.messages.len(), rig.blocks.len()), (0, 1), "nothing is answered before Opened is durable");
    assert_eq!(rig.end(partition(2)), refused(Refusal::UnknownPartition(partition(2))), "nor is a partition shown");
    rig.finish_block();
    assert_eq!(deliver(&mut rig), CatalogueMessage::Opened { topic: TOPIC, revision: 2 });
    assert_eq!(shown(&mut rig).revision(), 1, "the old description is in force");
    assert_eq!(rig.reply(id), None);
    rig.finish_block();
    let Some(Reply::TopicAltered(topic)) = rig.reply(id).cloned() else { panic!("{:?}", rig.reply(id)) };
    assert_eq!((topic.revision(), topic.partition_count()), (2, 3));
    assert_eq!(topic.settings().retention_bytes, Some(1 << 30));
    assert_eq!(shown(&mut rig), topic);
    assert_eq!(rig.shown(first, 0), (vec![0], 1), "what was there stays");
    let id = rig.capture(partition(2), batch(b"y"));
    rig.settle();
    assert_eq!(rig.reply(id), Some(&captured(0, rig.now.realtime)));
    assert_eq!(rig.shard.status().partition_count, 3);
    assert_eq!(rig.answer(alter(partitions(3))), Reply::TopicAltered(topic), "nothing is left to change");
}

#[test]
fn an_alteration_survives_lost_and_doubled_messages_and_restarts_at_every_step() {
    for lost in 0..3 {
        let (mut rig, _) = Rig::with_partition();
        rig.ask(alter(partitions(4)));
        for _ in 0..lost {
            rig.settle_blocks();
            if !rig.messages.is_empty() {
                let message = deliver(&mut rig);
                rig.event(Event::Message { from: ShardId(0), message: message.into() });
            }
        }
        rig.settle_blocks();
        let mut rig = rig.crashed();
        rig.begin();
        rig.settle();
        assert_eq!((shown(&mut rig).revision(), shown(&mut rig).partition_count()), (2, 4), "{lost} steps were done");
        let id = rig.capture(partition(3), batch(b"x"));
        rig.settle();
        assert_eq!(rig.reply(id), Some(&captured(0, rig.now.realtime)));
    }
    let (mut rig, _) = Rig::with_partition();
    let id = rig.ask(alter(partitions(4)));
    rig.settle_blocks();
    rig.messages.clear();
    rig.tick_after(SECOND_NS);
    rig.settle();
    assert!(matches!(rig.reply(id), Some(Reply::TopicAltered(_))), "what was lost is sent again");
}

#[test]
fn an_alteration_waits_for_every_owner_and_for_answers_about_its_revision() {
    let mut rig = Rig::serving_with(ShardId(0), 2, SMALL, 1);
    rig.create("payments");
    let id = rig.ask(alter(partitions(2)));
    rig.settle();
    assert_eq!(rig.reply(id), None, "shard 1 has not answered");
    let opened = |revision| CatalogueMessage::Opened { topic: TOPIC, revision };
    rig.event(Event::Message { from: ShardId(1), message: opened(1).into() });
    rig.settle();
    assert_eq!(rig.reply(id), None, "that is about the first description");
    assert_eq!(rig.answer(Request::DeleteTopic { topic: TOPIC }), refused(Refusal::StillWorking));
    assert_eq!(rig.answer(alter(partitions(2))), refused(Refusal::StillWorking));
    rig.event(Event::Message { from: ShardId(1), message: opened(2).into() });
    rig.settle();
    assert!(matches!(rig.reply(id), Some(Reply::TopicAltered(_))));
    let elsewhere = refused(Refusal::NotOwner { partition: partition(1), owner: ShardId(1) });
    assert_eq!(rig.end(partition(1)), elsewhere);
}

#[test]
fn an_owner_lets_no_late_open_bring_an_older_description_back() {
    let mut rig = Rig::serving_with(ShardId(1), 2, SMALL, 1);
    let first = TopicDescriptor::new(TOPIC, "payments", vec![ShardId(1)]).expect("valid");
    let second = first.altered(TopicSettings::default(), &[ShardId(1)]).expect("valid").expect("more");
    let open = |rig: &mut Rig, version, descriptor: &TopicDescriptor| {
        let message = CatalogueMessage::Open { version, descriptor: descriptor.clone() };
        rig.event(Event::Message { from: ShardId(0), message: message.into() });
        rig.settle_blocks();
        std::mem::take(&mut rig.messages).into_iter().map(|(_, message)| message).collect::<Vec<_>>()
    };
    let opened = |revision| vec![CatalogueMessage::Opened { topic: TOPIC, revision }];
    assert_eq!(open(&mut rig, 1, &first), opened(1));
    rig.capture(partition(0), batch(b"x"));
    rig.settle_blocks();
    assert_eq!(open(&mut rig, 3, &second), opened(2));
    assert_eq!(open(&mut rig, 1, &first), [], "it came late");
    assert_eq!(open(&mut rig, 3, &second), opened(2));
    assert_eq!(rig.shown(partition(0), 0), (vec![0], 1));
    assert_eq!(rig.shown(partition(1), 0), (vec![], 0));
}

#[test]
fn records_above_the_limit_of_their_topic_are_refused_once_it_is_durable() {
    let (mut rig, first) = Rig::with_partition();
    let large = [7; 200];
    let stored = rig.capture(first, stamped(&large, 9, 0, 0));
    rig.settle();
    assert_eq!(rig.reply(stored), Some(&captured(0, rig.now.realtime)));
    let id = rig.ask(alter(records(100)));
    rig.finish_block();
    deliver(&mut rig);
    let between = rig.capture(first, batch(&large));
    rig.settle();
    assert_eq!(rig.reply(between), Some(&captured(1, rig.now.realtime)), "the owner's record was not durable");
    assert!(matches!(rig.reply(id), Some(Reply::TopicAltered(_))));

    // Length, attributes, two deltas, no key, two bytes of the value's length, the value, no headers.
    let bytes = 2 + 1 + 1 + 1 + 1 + 2 + 200 + 1;
    let too_large = refused(Refusal::RecordTooLarge { bytes, max: 100 });
    assert_eq!(rig.answer(Request::Capture { partition: first, batch: batch(&large) }), too_large);
    let next = Request::Capture { partition: first, batch: stamped(&large, 9, 0, 1) };
    assert_eq!(rig.answer(next), too_large);
    let Reply::Captured { duplicate: true, .. } =
        rig.answer(Request::Capture { partition: first, batch: stamped(&large, 9, 0, 0) })
    else {
        panic!("a retry of what is stored gets its original answer");
    };
    let small = rig.capture(first, batch(&[7; 90]));
    rig.settle();
    assert_eq!(rig.reply(small), Some(&captured(2, rig.now.realtime)));
    let mut rig = rig.crashed();
    rig.begin();
    rig.settle();
    assert_eq!(rig.answer(Request::Capture { partition: first, batch: batch(&large) }), too_large, "after a restart");
    altered(&mut rig, records(bytes));
    let id = rig.capture(first, batch(&large));
    rig.settle();
    assert!(matches!(rig.reply(id), Some(Reply::Captured { .. })), "it is as large as may be");
}

#[test]
fn a_topic_is_created_with_its_settings() {
    let mut rig = Rig::serving();
    let settings = TopicSettings { retention_ns: Some(5), segment_bytes: 1 << 20, ..TopicSettings::default() };
    let request = Request::CreateTopic { name: "payments".to_owned(), partition_count: 1, settings, keys: None };
    rig.ask(request);
    rig.settle();
    assert_eq!((shown(&mut rig).revision(), *shown(&mut rig).settings()), (1, settings));
    let settings = TopicSettings { segment_bytes: 1, ..settings };
    let request = Request::CreateTopic { name: "other".to_owned(), partition_count: 1, settings, keys: None };
    let Reply::Refused(Refusal::TopicSetting(error)) = rig.answer(request) else { panic!("not refused") };
    assert_eq!((error.setting, error.asked), (Setting::SegmentBytes, 1));
}

#[test]
fn alterations_that_cannot_be_are_refused_by_name() {
    let (mut rig, _) = Rig::with_partition();
    altered(&mut rig, partitions(3));
    let most = TOPIC_PARTITION_COUNT_MAX;
    for asked in [0, 2, most + 1] {
        let count = refused(Refusal::PartitionCount { asked, least: 3, most });
        assert_eq!(rig.answer(alter(partitions(asked))), count);
    }
    assert!(matches!(rig.answer(alter(records(1))), Reply::Refused(Refusal::TopicSetting(_))));
    let unknown = Request::AlterTopic { topic: TopicId(9), change: partitions(3) };
    assert_eq!(rig.answer(unknown), refused(Refusal::UnknownTopic(TopicId(9))));
    let full = rig.answer(alter(partitions(most)));
    assert_eq!(full, refused(Refusal::CatalogueFull), "a small manifest has no room for so many");
    assert_eq!(shown(&mut rig).revision(), 2);
    let mut other = Rig::serving_with(ShardId(1), 2, SMALL, 1);
    assert_eq!(other.answer(alter(partitions(3))), refused(Refusal::NotCoordinator));
}

#[test]
fn an_alteration_is_not_begun_on_a_full_journal_and_comes_to_its_end_on_one_that_filled_up_meanwhile() {
    let geometry = Geometry { file_count: 2, file_bytes: 512 * 1024, ..SMALL };
    let mut rig = Rig::serving_with(ShardId(0), 1, geometry, 1);
    let first = rig.create("payments");
    let id = rig.ask(alter(partitions(2)));
    rig.finish_block();
    rig.messages.clear();
    fill(&mut rig, first);
    assert_eq!(rig.reply(id), None);
    assert_eq!(rig.answer(Request::DeleteTopic { topic: TOPIC }), refused(Refusal::StillWorking));
    rig.tick_after(SECOND_NS);
    rig.settle();
    assert!(matches!(rig.reply(id), Some(Reply::TopicAltered(_))), "a topic that fills the journal can be deleted");
    let full = refused(Refusal::JournalFull(ShardId(0)));
    for _ in 0..50 {
        assert_eq!(rig.answer(alter(partitions(3))), full, "alterations do not use up the room for deletions");
    }
    let delete = rig.ask(Request::DeleteTopic { topic: TOPIC });
    rig.settle();
    assert_eq!(rig.reply(delete), Some(&Reply::TopicDeleted(TOPIC)));
    assert_eq!(rig.answer(create("payments", 0)), refused(Refusal::PartitionCount { asked: 0, least: 1, most: 4096 }));
}
