use proptest::prelude::*;

use super::*;
use crate::model::{Offset, Position, Realtime, SegmentId};

fn choose_roomy(counts: &[u64]) -> Option<Range<usize>> {
    choose(counts, Room::Enough)
}

fn run(entry_count: u64) -> KeyRun {
    KeyRun {
        segment: SegmentId(1),
        position: Position(0),
        bytes: 1,
        table_bytes: 1,
        entry_count,
        base_offset: Offset(0),
        next_offset: Offset(1),
        first_append_time: Realtime(0),
        last_append_time: Realtime(0),
    }
}

#[test]
fn only_the_latest_runs_of_which_none_outweighs_the_others_are_put_together() {
    assert_eq!(choose_roomy(&[]), None);
    assert_eq!(choose_roomy(&[5, 5, 5]), None, "so few are not worth it");
    assert_eq!(choose_roomy(&[5, 5, 5, 5]), Some(0..4));
    assert_eq!(choose_roomy(&[100, 5, 5, 5]), None);
    assert_eq!(choose_roomy(&[100, 5, 5, 5, 5]), Some(1..5));
    assert_eq!(choose_roomy(&[8, 4, 1, 1, 1, 1]), Some(0..6));
    assert_eq!(choose_roomy(&[40, 1, 1, 1, 30]), None, "the last outweighs the others");
}

#[test]
fn where_there_is_little_room_fewer_runs_are_worth_it() {
    assert_eq!(choose(&[5, 5], Room::Short), Some(0..2));
    assert_eq!(choose(&[100, 5, 5], Room::Short), Some(1..3));
    assert_eq!(choose(&[100, 5], Room::Short), None);
    assert_eq!(choose_pair(&[7]), None);
    assert_eq!(choose_pair(&[100, 5, 9, 2]), Some((11, 2..4)), "the cheapest");
    let set = |spare_count: u64| KeyRunSet { run: run(9), spares: (0..spare_count).map(run).collect() };
    assert_eq!(choose_spares(&[set(1), set(0)]), None, "one is needed");
    let sets = [set(2), set(7), set(1)];
    assert_eq!(choose_spares(&sets).map(|set| set.spares.len()), Some(7));
}

proptest! {
    #[test]
    fn however_many_runs_are_written_a_look_up_asks_few_and_a_key_is_written_again_seldom(
        sizes in prop::collection::vec(1_u64..1000, 1..300),
    ) {
        let total: u64 = sizes.iter().sum();
        let (mut runs, mut written, mut most) = (Vec::new(), 0, 0);
        for size in sizes {
            runs.push(size);
            while let Some(range) = choose_roomy(&runs) {
                let sum: u64 = runs[range.clone()].iter().sum();
                written += sum;
                runs.splice(range, [sum]);
            }
            most = most.max(runs.len());
        }
        let doublings = u64::from(total.ilog2()) + 1;
        prop_assert!(written <= total * doublings, "{written} of {total}");
        prop_assert!(most as u64 <= KEY_MERGE_RUN_COUNT_MIN as u64 * (doublings + 1), "{most} runs");
    }
}
