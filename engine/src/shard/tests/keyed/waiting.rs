//! Who waits for a block, for the disk or for a batch that is decompressed, and who is held up by that.

use super::*;

#[test]
fn nobody_hears_of_a_payment_before_its_block_is_durable() {
    let (mut rig, partition) = with_keys();
    let batch = pay(&[("a", "1")]);
    let ids: Vec<RequestId> = [batch.clone(), batch, pay(&[("a", "2")]), pay(&[("a", "1"), ("b", "1")])]
        .into_iter()
        .map(|batch| rig.capture(partition, batch))
        .collect();
    let key = Bytes::from_static(b"a");
    let looked = rig.ask(Request::LookUpKey { partition, key });
    assert!(ids.iter().chain([&looked]).all(|id| rig.reply(*id).is_none()), "{:?}", rig.replies);
    rig.fail_block();
    for id in ids.iter().chain([&looked]) {
        assert_eq!(rig.reply(*id), Some(&refused(Refusal::OutcomeUnknown(rig.id))));
    }
}

#[test]
fn a_look_up_that_needs_the_disk_holds_up_its_own_partition_only_and_keeps_the_order() {
    let (mut rig, partition) = with_keys();
    let other = keyed("others", &mut rig);
    store(&mut rig, partition, &[("a", "1"), ("b", "2")]);
    rest(&mut rig);
    let ids: Vec<RequestId> = [pay(&[("c", "3")]), pay(&[("d", "4")]), pay(&[("c", "3")])]
        .into_iter()
        .map(|batch| rig.capture(partition, batch))
        .collect();
    assert_eq!(rig.key_work.reads.len(), 1, "the first reads for all");
    assert_eq!(rig.shard.status().keys_waiting_count, 3);
    let beside = rig.capture(other, pay(&[("c", "3")]));
    rig.settle_blocks();
    assert!(matches!(rig.reply(beside), Some(Reply::Captured { .. })), "others flow");
    assert!(ids.iter().all(|id| rig.reply(*id).is_none()));
    rig.settle();
    let now = rig.now.realtime;
    assert_eq!(rig.reply(ids[0]), Some(&super::super::rig::captured(2, now)));
    assert_eq!(rig.reply(ids[1]), Some(&super::super::rig::captured(3, now)));
    assert_eq!(rig.reply(ids[2]), Some(&duplicate(2, now)));
    assert_eq!(rig.shard.status().keys_waiting_count, 0);
}

#[test]
fn a_compressed_batch_is_looked_into_and_keeps_its_place() {
    let (mut rig, partition) = with_keys();
    let compressed = gzipped(&pay(&[("a", "1"), ("b", "2")]));
    let ids: Vec<RequestId> =
        [compressed.clone(), pay(&[("b", "2")]), compressed, gzipped(&super::super::rig::batch(b"1"))]
            .into_iter()
            .map(|batch| rig.capture(partition, batch))
            .collect();
    assert_eq!(rig.key_work.derives.len(), 1, "one of a partition at a time");
    rig.settle();
    let now = rig.now.realtime;
    assert_eq!(rig.reply(ids[0]), Some(&super::super::rig::captured(0, now)));
    assert_eq!(rig.reply(ids[1]), Some(&duplicate(1, now)));
    assert_eq!(rig.reply(ids[2]), Some(&duplicate(0, now)));
    assert!(matches!(rig.reply(ids[3]), Some(Reply::Refused(Refusal::Keys(KeyFault::Missing { .. })))));
    assert_eq!(rig.shown(partition, 0), (vec![0], 2));
}

#[test]
fn whoever_waits_is_bounded_and_hears_when_the_shard_ends() {
    let (mut rig, partition) = with_keys();
    store(&mut rig, partition, &[("a", "1")]);
    rest(&mut rig);
    let most = crate::limits::KEYED_WAITING_COUNT_MAX;
    let ids: Vec<RequestId> =
        (0..=most).map(|number| rig.capture(partition, pay(&[(&format!("p{number}"), "1")]))).collect();
    assert_eq!(rig.reply(ids[most]), Some(&refused(Refusal::Busy(rig.id))));
    rig.event(Event::Shutdown);
    for id in &ids[..most] {
        assert_eq!(rig.reply(*id), Some(&refused(Refusal::Stopping(rig.id))));
    }
    rig.settle();
    assert_eq!(rig.stopped, Some(true));
}

#[test]
fn a_topic_that_is_deleted_meanwhile_is_gone_for_whoever_waits() {
    let (mut rig, partition) = with_keys();
    store(&mut rig, partition, &[("a", "1")]);
    rest(&mut rig);
    let id = rig.capture(partition, pay(&[("b", "1")]));
    let read = rig.key_work.end_read().expect("a read");
    let deleted = rig.ask(Request::DeleteTopic { topic: partition.topic });
    rig.settle();
    assert!(matches!(rig.reply(deleted), Some(Reply::TopicDeleted(_))));
    assert_eq!(rig.reply(id), None);
    rig.event(read);
    assert!(matches!(rig.reply(id), Some(Reply::Refused(Refusal::UnknownPartition(_) | Refusal::UnknownTopic(_)))));
    rest(&mut rig);
    assert_eq!(rig.shard.status().segment_count, 0, "its key runs go with it");
}

#[test]
fn what_cannot_be_told_is_refused_and_asked_again_when_the_disk_may_give_it() {
    let (mut rig, partition) = with_keys();
    store(&mut rig, partition, &[("a", "1")]);
    rest(&mut rig);
    let unreadable = |piece: &KeyPiece, kind| match piece {
        KeyPiece::Table(_) => (*piece, KeyFound::Table(Stored::Unreadable(disk_error(kind)))),
        other => panic!("{other:?}"),
    };
    let id = rig.capture(partition, pay(&[("b", "1")]));
    let read = rig.key_work.reads.pop_front().expect("a read");
    let found = read.pieces.iter().map(|piece| unreadable(piece, DiskErrorKind::Failed)).collect();
    rig.event(Event::KeysRead { partition, found });
    let Some(Reply::Refused(refusal)) = rig.reply(id).cloned() else { panic!("a guess") };
    assert_eq!((refusal.code(), refusal.action()), (54, crate::shard::Action::Retry));
    assert!(matches!(rig.reports.last(), Some(crate::shard::Report::KeysDamaged { .. })));
    let again = rig.capture(partition, pay(&[("b", "1")]));
    rig.settle();
    assert!(matches!(rig.reply(again), Some(Reply::Captured { duplicate: false, .. })));
}

#[test]
fn a_batch_of_very_many_records_is_looked_up_a_part_at_a_time_and_holds_up_nobody_else() {
    let (mut rig, partition) = with_keys();
    let other = keyed("others", &mut rig);
    let names: Vec<String> = (0..2500).map(|number| format!("{number:x}")).collect();
    let payments: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "1")).collect();
    let large = rig.capture(partition, pay(&payments));
    let behind = rig.capture(partition, pay(&[("z", "1")]));
    assert_eq!(rig.key_work.derives.len(), 1, "its keys are found away from the thread: {:?}", rig.reply(large));
    let quick = rig.capture(other, pay(&[("a", "1")]));
    rig.settle_blocks();
    assert!(rig.reply(quick).is_some() && rig.reply(large).is_none(), "others are not held up");
    rig.settle();
    let Some(Reply::Captured { base_offset, duplicate: false, .. }) = rig.reply(large) else { panic!("it is stored") };
    assert_eq!(base_offset.0, 0);
    assert!(matches!(rig.reply(behind), Some(Reply::Captured { base_offset, .. }) if base_offset.0 == 2500));
    let turns = rig.key_work.turn_count;
    assert!(turns >= 2500 / crate::limits::KEY_LOOKS_PER_TURN, "{turns} turns");
    let Reply::Captured { duplicate: true, .. } = answer_to(&mut rig, partition, pay(&payments)) else {
        panic!("it is known")
    };
}
