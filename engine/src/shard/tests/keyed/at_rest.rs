//! Keys at rest: when they are, how they are put together, and when they go.

use super::*;

#[test]
fn a_batch_is_at_rest_only_with_its_keys() {
    let (mut rig, partition) = with_keys();
    store(&mut rig, partition, &[("a", "1")]);
    rig.ask(Request::Checkpoint);
    rig.settle_blocks();
    let error = Err(disk_error(DiskErrorKind::NoSpace));
    let plan = rig.end_write_with_keys(&Ok(()), &error);
    assert_eq!(plan.keys.as_ref().map(|keys| keys.parts.len()), Some(1));
    let state = &rig.shard.partitions[&partition];
    assert_eq!((state.flushed_offset(), state.keys().unwrap().rest_offset()), (Offset(0), Offset(0)));
    rig.settle_blocks();
    rig.tick_after(2 * SECOND_NS);
    rig.ask(Request::Checkpoint);
    rig.end_write_with_keys(&error, &Ok(()));
    let state = &rig.shard.partitions[&partition];
    assert_eq!((state.flushed_offset(), state.keys().unwrap().rest_offset()), (Offset(0), Offset(0)));
    assert_eq!(state.keys().unwrap().sets(), [], "and keys only with their batch");
    rig.tick_after(2 * SECOND_NS);
    rig.ask(Request::Checkpoint);
    rig.settle();
    let state = &rig.shard.partitions[&partition];
    assert_eq!((state.flushed_offset(), state.keys().unwrap().rest_offset()), (Offset(1), Offset(1)));
}

#[test]
fn keys_outlive_their_records_and_expire_with_the_window() {
    let (mut rig, partition) = with_keys();
    let (_, append_time) = store(&mut rig, partition, &[("a", "1")]);
    rest(&mut rig);
    rig.pass(7 * DAY_NS);
    assert_eq!(answer_to(&mut rig, partition, pay(&[("a", "1")])), duplicate(0, append_time), "within the window");
    rig.pass(1);
    assert_eq!(look_up(&mut rig, partition, "a"), None, "behind it");
    rig.tick_after(6 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.shard.partitions[&partition].keys().unwrap().sets(), []);
    let now = rig.now.realtime;
    assert_eq!(
        answer_to(&mut rig, partition, pay(&[("a", "1")])),
        super::super::rig::captured(1, now),
        "it is a new payment"
    );
}

#[test]
fn nothing_expires_while_the_clock_is_not_trusted() {
    let (mut rig, partition) = with_keys();
    let (_, append_time) = store(&mut rig, partition, &[("a", "1")]);
    rest(&mut rig);
    rig.now.realtime = Realtime(rig.now.realtime.0 + 30 * DAY_NS);
    rig.event(Event::Tick);
    assert!(rig.shard.status().clock_suspended);
    rig.tick_after(6 * SECOND_NS);
    assert_eq!(answer_to(&mut rig, partition, pay(&[("a", "1")])), duplicate(0, append_time));
}

#[test]
fn keys_in_memory_are_bounded_and_taken_to_rest_in_time() {
    let (mut rig, partition) = with_keys();
    rig.shard.keyed.limit_recent(4);
    store(&mut rig, partition, &[("a", "1"), ("b", "1")]);
    assert!(rig.shard.partitions[&partition].keys().unwrap().sets().is_empty());
    let id = rig.capture(partition, pay(&[("c", "1"), ("d", "1"), ("e", "1")]));
    assert_eq!(rig.reply(id), Some(&refused(Refusal::Busy(rig.id))), "there is no room for so many");
    store(&mut rig, partition, &[("c", "1")]);
    assert!(!rig.shard.partitions[&partition].keys().unwrap().sets().is_empty(), "more than half: they are at rest");
    rig.event(Event::Tick);
    assert!(rig.shard.status().keys_recent_count <= 2);
    store(&mut rig, partition, &[("d", "1"), ("e", "1")]);
}

#[test]
fn key_runs_are_put_together_beside_everything_else_and_the_old_ones_stay_as_spares() {
    let (mut rig, partition) = with_keys();
    let mut times = Vec::new();
    for number in 0..4 {
        times.push(store(&mut rig, partition, &[(&format!("p{number}"), "1")]).1);
        rig.ask(Request::Checkpoint);
        rig.settle();
        rig.pass(SECOND_NS);
    }
    let keys = rig.shard.partitions[&partition].keys().unwrap();
    assert_eq!(keys.sets().len(), 1);
    assert_eq!(keys.sets()[0].spares.len(), 4);
    for (number, time) in (0..).zip(&times) {
        let found = answer_to(&mut rig, partition, pay(&[(&format!("p{number}"), "1")]));
        assert_eq!(found, duplicate(number, *time));
    }
    // A damaged run is asked no more: its spares are.
    let run = rig.shard.partitions[&partition].keys().unwrap().sets()[0].run;
    rig.shard.keyed.limit_pieces(0);
    let id = rig.capture(partition, pay(&[("p2", "1")]));
    rig.event(Event::Tick);
    if let Some(read) = rig.key_work.reads.pop_front() {
        let damaged = |piece: &KeyPiece| match piece {
            KeyPiece::Table(of) if *of == run => (*piece, KeyFound::Table(Stored::Damaged("torn".to_owned()))),
            other => panic!("{other:?}"),
        };
        rig.event(Event::KeysRead { partition, found: read.pieces.iter().map(damaged).collect() });
        rig.settle();
    }
    assert_eq!(rig.reply(id), Some(&duplicate(2, times[2])));
}

#[test]
fn a_batch_that_needs_more_than_may_be_held_is_looked_up_key_by_key() {
    let (mut rig, partition) = with_keys();
    let names: Vec<String> = (0..200).map(|number| format!("p{number}")).collect();
    let payments: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "1")).collect();
    let (_, append_time) = store(&mut rig, partition, &payments);
    rest(&mut rig);
    rig.shard.keyed.limit_pieces(0);
    assert_eq!(answer_to(&mut rig, partition, pay(&payments)), duplicate(0, append_time));
    assert!(rig.shard.status().keys_read_count > 3);
    assert_eq!(rig.shard.status().keys_cached_bytes, 0, "nothing is kept that need not be");
}

#[test]
fn retention_cuts_no_batch_whose_keys_are_not_at_rest() {
    let mut rig = Rig::serving();
    let Request::CreateTopic { name, partition_count, keys, .. } = keyed_topic("payments", 7) else { unreachable!() };
    let settings = TopicSettings { retention_ns: Some(SECOND_NS), ..TopicSettings::default() };
    let id = rig.ask(Request::CreateTopic { name, partition_count, settings, keys });
    rig.settle();
    let Some(Reply::TopicCreated(topic)) = rig.reply(id) else { panic!("{:?}", rig.reply(id)) };
    let partition = PartitionId { topic: topic.id(), index: 0 };
    let (_, append_time) = store(&mut rig, partition, &[("a", "1")]);
    rig.tick_after(60 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.cuts, [], "its key is nowhere else");
    rest(&mut rig);
    rig.tick_after(60 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.cuts.len(), 1);
    assert_eq!(answer_to(&mut rig, partition, pay(&[("a", "1")])), duplicate(0, append_time));
}

/// Rests after every payment, until the partition has so many key runs, spares included.
fn runs_after(rig: &mut Rig, partition: PartitionId, payments: std::ops::Range<u32>) -> (usize, usize) {
    for number in payments {
        store(rig, partition, &[(&format!("p{number}"), "1")]);
        // Where there is no room, runs become fewer first, one merge after the other.
        for _ in 0..20 {
            rig.ask(Request::Checkpoint);
            rig.settle();
            rig.tick_after(SECOND_NS);
        }
    }
    let keys = rig.shard.partitions[&partition].keys().unwrap();
    (keys.sets().len(), keys.all_runs().count())
}

#[test]
fn where_a_manifest_has_little_room_key_runs_and_their_spares_become_fewer_until_there_is_one_of_each() {
    let (mut rig, partition) = with_keys();
    let (_, roomy) = runs_after(&mut rig, partition, 0..40);
    assert!(roomy > 10, "old runs stay as spares while there is room: {roomy}");
    let taken = rig.shard.segments.manifest_run_bytes(rig.shard.run_count());
    rig.shard.segments.limit_manifest(taken / 2);
    let (sets, all) = runs_after(&mut rig, partition, 40..60);
    assert!(sets <= 6 && all <= 12, "{sets} sets, {all} runs");
    assert!(!rig.shard.status().manifest_full, "there is room again");
    for number in [0, 13, 39, 59] {
        let again = answer_to(&mut rig, partition, pay(&[(&format!("p{number}"), "1")]));
        assert!(matches!(again, Reply::Captured { duplicate: true, base_offset, .. } if base_offset.0 == number));
    }
}
