use super::*;

fn gap(from: u64, to: u64, accepted: u64) -> Gap {
    Gap { base_offset: Offset(from), next_offset: Offset(to), accepted: Realtime(accepted) }
}

#[test]
fn a_gap_is_these_bytes() {
    let mut bytes = Vec::new();
    gap(0x0102, 0x0304, 0x0506).encode(&mut bytes);
    assert_eq!(bytes.len(), Gap::ENCODED_BYTES);
    assert_eq!(bytes, [2, 1, 0, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 6, 5, 0, 0, 0, 0, 0, 0]);
    assert_eq!(Gap::decode(&mut &bytes[..]), Ok(gap(0x0102, 0x0304, 0x0506)));
    assert!(Gap::decode(&mut &bytes[..23]).is_err());
}

#[test]
fn gaps_are_kept_in_order_and_joined_only_where_they_touch_and_were_accepted_together() {
    let mut gaps = Gaps::default();
    for gap in [gap(20, 30, 1), gap(10, 12, 1), gap(12, 20, 1), gap(30, 31, 2), gap(5, 9, 1)] {
        gaps.insert(gap);
    }
    let all: Vec<Gap> = gaps.iter().copied().collect();
    assert_eq!(all, [gap(5, 9, 1), gap(10, 30, 1), gap(30, 31, 2)]);
    let at = |offset| gaps.at(Offset(offset)).map(|gap| gap.base_offset.0);
    assert_eq!(
        [4, 5, 8, 9, 10, 29, 30, 31].map(at),
        [None, Some(5), Some(5), None, Some(10), Some(10), Some(30), None]
    );
}

#[test]
#[should_panic(expected = "offsets are lost once")]
fn offsets_that_are_lost_already_are_a_broken_invariant() {
    let mut gaps = Gaps::default();
    gaps.insert(gap(10, 20, 1));
    gaps.insert(gap(19, 25, 2));
}
