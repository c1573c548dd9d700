use super::*;

#[test]
fn a_transactional_id_has_one_coordinator_for_ever() {
    let shard = |name: &str, count| coordinator_of(&TransactionalId::new(name).unwrap(), count).0;
    assert_eq!([shard("settlement-1", 1), shard("settlement-1", 2), shard("settlement-1", 7)], [0, 0, 3]);
    assert_eq!([shard("settlement-2", 1), shard("settlement-2", 2), shard("settlement-2", 7)], [0, 0, 5]);
    for count in 1..50 {
        assert!((0..200).all(|number| shard(&format!("id {number}"), count) < count));
    }
}

#[test]
fn a_producer_id_names_the_shard_of_its_coordinator() {
    assert_eq!(shard_of(ProducerId(0x0007_0000_0000_0009)), ShardId(7));
    assert_eq!(shard_of(ProducerId(9)), ShardId(0));
}
