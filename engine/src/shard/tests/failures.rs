//! A failed write: nobody is told what is not so, and what is durable is still served.

use super::rig::{Rig, SMALL, batch, captured, create, disk_error, refused, stamped};
use crate::catalogue::TopicChange;
use crate::io::DiskErrorKind;
use crate::model::{Offset, ShardId};
use crate::shard::{Event, Refusal, Reply, Request};

const UNKNOWN: Refusal = Refusal::OutcomeUnknown(ShardId(0));
const UNAVAILABLE: Refusal = Refusal::ShardUnavailable(ShardId(0));

#[test]
fn after_a_failed_block_everybody_who_waits_learns_that_the_outcome_is_unknown() {
    let mut rig = Rig::serving_with(ShardId(0), 1, SMALL, 2);
    let partition = rig.create("payments");
    let waiting = [
        rig.capture(partition, stamped(b"a", 7, 0, 0)),
        rig.capture(partition, stamped(b"a", 7, 0, 0)),
        rig.capture(partition, batch(b"b")),
        rig.capture(partition, batch(b"in a forming block")),
        rig.ask(Request::InitProducer),
        rig.ask(Request::ConfirmClock),
        rig.ask(Request::Checkpoint),
        rig.ask(create("other", 1)),
    ];
    rig.fail_block();
    for id in waiting {
        assert_eq!(rig.reply(id), Some(&refused(UNKNOWN)), "request {id}");
    }
    assert_eq!(rig.failed, [disk_error(DiskErrorKind::Failed)]);
    let status = rig.shard.status();
    assert!(!status.serving && status.failed.is_some() && status.waiting_count == 0);
}

#[test]
fn a_failed_shard_takes_nothing_new_and_serves_what_is_durable() {
    let (mut rig, partition) = Rig::with_partition();
    let durable = rig.capture(partition, stamped(b"a", 7, 0, 0));
    rig.settle();
    let lost = rig.capture(partition, stamped(b"b", 7, 0, 1));
    rig.fail_block();
    assert_eq!(rig.reply(durable), Some(&captured(0, rig.now.realtime)));
    assert_eq!(rig.reply(lost), Some(&refused(UNKNOWN)));
    assert_eq!(rig.answer(Request::Capture { partition, batch: batch(b"c") }), refused(UNAVAILABLE));
    let alter = Request::AlterTopic { topic: partition.topic, change: TopicChange::default() };
    for request in [create("other", 1), alter, Request::ConfirmClock, Request::Checkpoint] {
        let reply = rig.answer(request.clone());
        assert!(matches!(reply, Reply::Refused(Refusal::ShardUnavailable(_) | Refusal::JournalFull(_))), "{request:?}");
    }
    assert_eq!(rig.shown(partition, 0), (vec![0], 1));
    assert_eq!(rig.end(partition), Reply::Offset(Offset(1)));
    assert!(matches!(rig.answer(Request::Metadata), Reply::Topics { .. }));
    let original = rig.answer(Request::Capture { partition, batch: stamped(b"a", 7, 0, 0) });
    assert!(matches!(original, Reply::Captured { duplicate: true, .. }), "the answer to durable data is known");
    let lost_again = rig.answer(Request::Capture { partition, batch: stamped(b"b", 7, 0, 1) });
    assert_eq!(lost_again, refused(UNKNOWN));
}

#[test]
fn a_catalogue_change_on_a_failed_shard_is_refused_as_unavailable_not_as_full() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"a"));
    rig.fail_block();
    assert_eq!(rig.answer(create("other", 1)), refused(UNAVAILABLE));
    let change = TopicChange { partition_count: Some(3), ..TopicChange::default() };
    assert_eq!(rig.answer(Request::AlterTopic { topic: partition.topic, change }), refused(UNAVAILABLE));
    assert_eq!(rig.answer(Request::DeleteTopic { topic: partition.topic }), refused(UNAVAILABLE));
}

#[test]
fn blocks_that_end_well_after_a_failed_one_release_nothing() {
    let mut rig = Rig::serving_with(ShardId(0), 1, SMALL, 3);
    let partition = rig.create("payments");
    rig.settle();
    let requests: Vec<_> = (0..3).map(|_| rig.capture(partition, batch(b"x"))).collect();
    rig.blocks.rotate_left(1);
    rig.fail_block();
    while !rig.blocks.is_empty() {
        rig.finish_block();
    }
    assert!(requests.iter().all(|id| rig.reply(*id) == Some(&refused(UNKNOWN))));
    assert_eq!(rig.shown(partition, 0), (vec![], 0));
    assert_eq!(rig.end(partition), Reply::Offset(Offset(0)));
    assert_eq!(rig.failed.len(), 1);
}

#[test]
fn a_failed_superblock_stops_the_shard_like_a_failed_block() {
    let (mut rig, partition) = Rig::with_partition();
    rig.settle();
    rig.ask(Request::Checkpoint);
    rig.end_manifest(Ok(()));
    let waiting = rig.capture(partition, batch(b"x"));
    rig.superblocks.pop_front().unwrap();
    rig.event(Event::SuperblockWritten(Err(disk_error(DiskErrorKind::NoSpace))));
    assert_eq!(rig.reply(waiting), Some(&refused(UNKNOWN)));
    rig.finish_block();
    assert_eq!(rig.shown(partition, 0), (vec![], 0));
    assert_eq!(rig.failed, [disk_error(DiskErrorKind::NoSpace)]);
}

#[test]
fn a_shard_whose_first_block_fails_refuses_everything_as_unavailable() {
    let mut rig = Rig::unopened(ShardId(0), 1, SMALL, 1);
    rig.begin();
    rig.fail_block();
    assert_eq!(rig.answer(Request::Metadata), refused(UNAVAILABLE));
    assert!(!rig.shard.status().serving);
}

#[test]
fn polls_on_a_failed_shard_still_end_at_their_deadline() {
    let (mut rig, partition) = Rig::with_partition();
    let poll = rig.fetch(partition, 0, 50);
    rig.capture(partition, batch(b"x"));
    rig.fail_block();
    assert_eq!(rig.reply(poll), None);
    rig.tick_after(50);
    assert!(matches!(rig.reply(poll), Some(Reply::Fetched(fetched)) if fetched.batches.is_empty()));
}

#[test]
fn a_failed_shard_closes_at_once_and_not_clean() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"x"));
    rig.fail_block();
    rig.event(Event::Shutdown);
    assert_eq!(rig.stopped, Some(false));
}

#[test]
fn a_shard_that_fails_while_it_closes_is_not_clean() {
    let (mut rig, partition) = Rig::with_partition();
    let waiting = rig.capture(partition, batch(b"x"));
    rig.event(Event::Shutdown);
    assert_eq!(rig.stopped, None);
    rig.fail_block();
    assert_eq!(rig.reply(waiting), Some(&refused(UNKNOWN)));
    assert_eq!(rig.stopped, Some(false));
}
