use std::collections::BTreeSet;

use florin_net::protocol::PartitionDescription;

use super::idle_shards;

fn partition(index: u32, shard: u16, start_offset: u64, stored_bytes: u64) -> PartitionDescription {
    PartitionDescription {
        index,
        shard,
        code: 0,
        start_offset,
        high_watermark: 100,
        held_bytes: 0,
        stored_bytes,
        producer_count: 1,
        last_append_time: 0,
        cut_bytes: 0,
        cut_time: 0,
        cut_reason: None,
        stable_offset: 100,
        open_transaction_count: 0,
        oldest_transaction: None,
    }
}

#[test]
fn a_shard_is_waited_for_until_one_of_its_partitions_is_cut() {
    let large = 1001;
    let idle = |partitions: &[PartitionDescription]| idle_shards(partitions, 1000);
    assert_eq!(idle(&[partition(0, 0, 0, large), partition(1, 1, 0, large)]), BTreeSet::from([0, 1]));
    assert_eq!(idle(&[partition(0, 0, 7, large), partition(1, 1, 0, large)]), BTreeSet::from([1]));
    assert_eq!(idle(&[partition(0, 0, 7, large), partition(1, 0, 0, large)]), BTreeSet::new());
    assert_eq!(idle(&[partition(0, 0, 0, 1000)]), BTreeSet::new(), "it has nothing to cut");
}
