use florin_engine::model::{TopicId, TransactionalId};
use florin_engine::transaction::coordinator_of;

use super::{Kind, kinds, transactional_id};
use crate::client::control::Placement;

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

#[test]
fn a_transactional_id_leads_to_another_shard_than_its_partition() {
    let placed = |shard_count: u16| Placement {
        topic: TopicId(1),
        shards: (0..4).map(|index| index % shard_count).collect(),
        host: String::new(),
        ports: (1..=shard_count).collect(),
    };
    for (number, partition) in (0..8).zip([0, 1, 2, 3].into_iter().cycle()) {
        let name = TransactionalId::new(&transactional_id(number, &placed(2), partition).unwrap()).unwrap();
        assert_ne!(coordinator_of(&name, 2).0, placed(2).shards[partition as usize]);
    }
    assert_eq!(transactional_id(3, &placed(1), 0).unwrap(), "producer-3");
}
