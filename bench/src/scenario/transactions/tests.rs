use super::{Kind, kinds};

#[test]
fn every_point_is_measured_once_without_and_with_transactions_and_a_single_batch_first() {
    let kinds = kinds(&[1, 32], &[1, 4]);
    let told: Vec<_> = kinds.iter().map(|kind| (kind.producers, kind.batches, kind.is_transactional)).collect();
    assert_eq!(
        told,
        [
            (1, 1, false),
            (1, 1, true),
            (1, 4, false),
            (1, 4, true),
            (32, 1, false),
            (32, 1, true),
            (32, 4, false),
            (32, 4, true)
        ]
    );
    assert_eq!(super::kinds(&[8], &[2])[0], Kind::SINGLE);
}
