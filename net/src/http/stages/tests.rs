use florin_engine::model::{Monotonic, ShardId};

use super::{Stages, WINDOW_NS};
use crate::metrics::{StageHistograms, record};

fn measured(ack_ns: u64) -> Vec<(ShardId, StageHistograms)> {
    let mut stages = StageHistograms::default();
    record(&mut stages.ack, ack_ns);
    vec![(ShardId(1), stages)]
}

fn ack_max(stages: &Stages) -> (u64, u64) {
    let all = stages.all();
    let ack = all.iter().find(|stage| stage.name == "ack").unwrap();
    assert_eq!(ack.shard, ShardId(1));
    (ack.recent.max(), ack.count)
}

#[test]
fn what_is_older_than_two_windows_is_told_no_more_and_still_counted() {
    let mut stages = Stages::default();
    let slow = 1_000_000_000;
    stages.take_in(measured(slow), Monotonic(WINDOW_NS));
    assert!(ack_max(&stages).0 >= slow);
    stages.take_in(measured(2000), Monotonic(2 * WINDOW_NS));
    assert!(ack_max(&stages).0 >= slow, "the older window is still part of it");
    stages.take_in(measured(2000), Monotonic(3 * WINDOW_NS));
    let (max, count) = ack_max(&stages);
    assert!(max < 3000, "{max}");
    assert_eq!(count, 3);
}
