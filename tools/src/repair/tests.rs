use florin_engine::model::{Id128, Realtime, ShardId};

use super::report::{Loss, Outcome, Report, ShardReport};

fn damaged(shard: u16) -> ShardReport {
    ShardReport {
        outcome: Outcome::Damaged,
        damage: vec!["journal file 1 at byte 4096: confirmed block damaged".to_owned()],
        losses: vec![Loss { topic: 3, partition: 1, base_offset: 10, next_offset: 12 }],
        topics_may_be_lost: true,
        ..ShardReport::sound(ShardId(shard))
    }
}

#[test]
fn a_report_is_as_bad_as_its_worst_shard_and_says_what_to_do() {
    let mut report = Report::new("/data".as_ref(), Id128([1; 16]), Realtime(0));
    report.shards = vec![ShardReport::sound(ShardId(0)), damaged(1)];
    report.conclude();
    assert_eq!(report.outcome, Outcome::Damaged);
    assert!(report.complaint().unwrap().contains("1 stretch of offsets"));
    let text = report.text();
    for line in [
        "shard 0: nothing is damaged\n",
        "shard 1: damaged, can be repaired\n",
        "  damage: journal file 1 at byte 4096: confirmed block damaged\n",
        "  lost: partition 3/1 offsets 10 to below 12\n",
        "florin topic list",
    ] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
    report.shards[0].outcome = Outcome::CannotRepair;
    report.shards[1].outcome = Outcome::Repaired;
    report.conclude();
    assert_eq!(report.outcome, Outcome::CannotRepair);
}
