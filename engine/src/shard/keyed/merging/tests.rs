use proptest::prelude::*;

use super::*;

#[test]
fn only_the_latest_runs_of_which_none_outweighs_the_others_are_put_together() {
    assert_eq!(choose(&[]), None);
    assert_eq!(choose(&[5, 5, 5]), None, "so few are not worth it");
    assert_eq!(choose(&[5, 5, 5, 5]), Some(0..4));
    assert_eq!(choose(&[100, 5, 5, 5]), None);
    assert_eq!(choose(&[100, 5, 5, 5, 5]), Some(1..5));
    assert_eq!(choose(&[8, 4, 1, 1, 1, 1]), Some(0..6));
    assert_eq!(choose(&[40, 1, 1, 1, 30]), None, "the last outweighs the others");
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
            while let Some(range) = choose(&runs) {
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
