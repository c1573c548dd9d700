use florin_engine::model::{PartitionId, TopicId};

use super::{Placement, Turns, in_turns};

fn placement(topic: u64, shards: &[u16]) -> Placement {
    Placement { topic: TopicId(topic), shards: shards.to_vec(), host: "h".to_owned(), ports: vec![10, 11] }
}

/// What the routes send to if all connections take turns, so often.
fn sequence(placements: &[Placement], connections: usize, rounds: usize) -> Vec<PartitionId> {
    let mut routes = in_turns(placements, connections).unwrap();
    (0..rounds * connections).map(|number| routes[number % connections].turns.as_mut().unwrap().take()).collect()
}

#[test]
fn connections_that_take_turns_go_round_all_partitions_in_order() {
    for (connections, partitions) in [(1, 3), (3, 10), (4, 10), (7, 7), (64, 10), (5, 1)] {
        let shards = vec![0; partitions];
        let found: Vec<u32> =
            sequence(&[placement(9, &shards)], connections, 20).iter().map(|partition| partition.index).collect();
        let expected: Vec<u32> = (0..found.len()).map(|number| u32::try_from(number % partitions).unwrap()).collect();
        assert_eq!(found, expected, "{connections} connections, {partitions} partitions");
    }
}

#[test]
fn partitions_of_all_topics_have_their_turn_on_the_shard_that_has_them() {
    let placements = [placement(1, &[0, 1, 0]), placement(2, &[1, 1, 0, 1])];
    let routes = in_turns(&placements, 5).unwrap();
    let addresses: Vec<&str> = routes.iter().map(|route| route.address.as_str()).collect();
    assert_eq!(addresses, ["h:10", "h:11", "h:10", "h:11", "h:10"]);
    let found = sequence(&placements, 5, 12);
    for (placement, topic) in placements.iter().zip([1, 2]) {
        for index in 0..u32::try_from(placement.shards.len()).unwrap() {
            let partition = PartitionId { topic: TopicId(topic), index };
            assert!(found.contains(&partition), "{partition} has no turn");
        }
    }
    // The first request of each connection goes to the shard that it is connected to.
    assert_eq!(routes[1].partition, PartitionId { topic: TopicId(1), index: 1 });
    assert_eq!(routes[3].partition, PartitionId { topic: TopicId(2), index: 0 });
}

#[test]
fn a_shard_without_a_connection_is_refused() {
    let error = in_turns(&[placement(1, &[0, 1])], 1).unwrap_err().to_string();
    assert!(error.contains("2 shards") && error.contains("--connections"), "{error}");
    assert!(in_turns(&[Placement { ports: vec![0, 0], ..placement(1, &[0]) }], 1).is_err());
}

#[test]
fn turns_of_one_partition_stay_with_it() {
    let only = PartitionId { topic: TopicId(1), index: 0 };
    let mut turns = Turns::new(vec![only].into(), 5, 7);
    assert_eq!([turns.take(), turns.take()], [only, only]);
}
