use std::sync::Arc;

use florin_engine::model::Id128;

use super::{Health, health};
use crate::protocol::ShardState;
use crate::route::Doorbell;
use crate::server::shared::ServerShared;

fn serving(shard_count: u16) -> ServerShared {
    let shared = ServerShared::new(Id128([1; 16]), String::new(), shard_count, Arc::from([Doorbell::default()]));
    for shard in &shared.shards {
        shard.set_state(ShardState::Serving);
        shard.counters.journal_ring_bytes.set(4096);
    }
    shared
}

#[test]
fn what_will_stop_a_shard_later_degrades_and_what_stops_it_now_is_not_ready() {
    let shared = serving(2);
    assert_eq!(health(&shared).0, Health::Ready);
    let counters = &shared.shards[1].counters;
    let complaints = [
        (&counters.disk_full, "the disk is full: captures go on until the journal is full: make room"),
        (&counters.manifest_full, "use fewer partitions per shard, larger segments, or a shorter retention"),
        (&counters.clock_suspended, "florin clock confirm"),
    ];
    for (counter, words) in complaints {
        counter.set(1);
        let (is, text) = health(&shared);
        assert_eq!(is, Health::Degraded);
        assert!(text.starts_with("degraded\nshard 0: serving\n"), "{text}");
        assert_eq!(text.matches("  degraded: ").count(), 1, "{text}");
        let (_, second) = text.split_once("shard 1: serving\n").expect("the second shard serves");
        assert!(second.contains(words), "{text}");
        counter.set(0);
    }
    assert_eq!(health(&shared).0, Health::Ready);
    counters.disk_full.set(1);
    shared.shards[0].set_state(ShardState::Failed);
    shared.shards[0].set_problem("a disk broke".to_owned());
    let (is, text) = health(&shared);
    assert_eq!(is, Health::NotReady);
    assert!(text.starts_with("not ready\nshard 0: failed (a disk broke)\n"), "{text}");
}

#[test]
fn what_a_shard_stores_is_told_once_it_is_open() {
    let shared = serving(2);
    shared.shards[1].counters.journal_ring_bytes.set(0);
    shared.shards[1].set_state(ShardState::NotOpen);
    let of = &shared.shards[0].counters;
    let numbers = [&of.segments, &of.stored_bytes, &of.unsynced_bytes, &of.cold_reads, &of.cold_waiting];
    (1..).zip(numbers).for_each(|(number, counter)| counter.set(number));
    let numbers = [&of.held_bytes, &of.held_bytes_max, &of.journal_used_bytes, &of.journal_ring_bytes];
    (6..).zip(numbers).for_each(|(number, counter)| counter.set(number));
    let numbers = [&of.manifest_run_bytes, &of.manifest_run_bytes_max];
    (10..).zip(numbers).for_each(|(number, counter)| counter.set(number));
    let numbers = [&of.keys_recent, &of.keys_cached_bytes, &of.keys_reads, &of.keys_waiting];
    (12..).zip(numbers).for_each(|(number, counter)| counter.set(number));
    let numbers = [&of.open_transactions, &of.unsettled_transactions, &of.transactional_ids, &of.groups];
    (16..).zip(numbers).for_each(|(number, counter)| counter.set(number));
    let expected = "not ready
shard 0: serving
  at rest: 1 segment files, 2 bytes, 3 not synced; 4 cold reads, 5 requests wait for one
  idempotency keys: 12 not at rest, 13 bytes of others in memory; 14 reads, 15 requests wait for one
  transactions: 16 open in partitions, 17 decided and not settled; 18 transactional ids, 19 groups
  in use: 6 of 7 bytes of memory, 8 of 9 bytes of the journal, 10 of 11 bytes of the manifest
shard 1: not open
";
    assert_eq!(health(&shared).1, expected);
}
