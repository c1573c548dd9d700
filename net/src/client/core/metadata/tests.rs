//! Pages of topics, and where their partitions are.

use florin_engine::model::{PartitionId, TopicId};

use super::{Metadata, MetadataPages, PagesError};
use crate::protocol::{ShardEndpoints, TopicDescription, TopicsPage};

fn described(id: u64, revision: u32) -> TopicDescription {
    TopicDescription { id: TopicId(id), name: format!("topic-{id}"), revision, placement: vec![0, 1], keys: None }
}

fn page(ids: &[u64], next: u64) -> TopicsPage {
    let topics = ids.iter().map(|id| described(*id, 1));
    let endpoints = ShardEndpoints { host: String::new(), ports: vec![7878, 0] };
    TopicsPage { endpoints, complete: true, next: TopicId(next), topics: topics.collect() }
}

#[test]
fn pages_are_put_together_until_there_is_no_next() {
    let mut pages = MetadataPages::default();
    assert!(pages.add(page(&[1, 2], 3)).unwrap().is_none());
    assert_eq!(pages.from(), TopicId(3));
    let metadata = pages.add(page(&[3], 0)).unwrap().unwrap();
    assert_eq!(metadata.topics().count(), 3);
    assert_eq!(metadata.topic_named("topic-3").unwrap().id, TopicId(3));
    assert_eq!(metadata.shard_of(PartitionId { topic: TopicId(2), index: 1 }), Some(1));
    assert_eq!(metadata.shard_of(PartitionId { topic: TopicId(2), index: 2 }), None);
}

#[test]
fn a_shard_without_a_port_is_nowhere() {
    let metadata = MetadataPages::default().add(page(&[1], 0)).unwrap().unwrap();
    assert_eq!(metadata.endpoint(0), Some(("", 7878)));
    assert_eq!(metadata.endpoint(1), None);
    assert_eq!(metadata.endpoint(2), None);
}

#[test]
fn pages_that_lead_nowhere_are_refused() {
    let mut pages = MetadataPages::default();
    assert!(pages.add(page(&[1, 2], 3)).is_ok());
    let again = pages.add(page(&[1, 2], 3)).unwrap_err();
    assert_eq!(again, PagesError::NotForward { from: TopicId(3), next: TopicId(3) });
}

#[test]
fn of_two_descriptions_the_newer_one_is_kept_whichever_came_last() {
    let mut metadata = MetadataPages::default().add(page(&[1, 2], 0)).unwrap().unwrap();
    metadata.insert(described(1, 3));
    metadata.insert(described(1, 2));
    let revision = |metadata: &Metadata, id| metadata.topic(TopicId(id)).map(|topic| topic.revision);
    assert_eq!(revision(&metadata, 1), Some(3));
    let mut listed = MetadataPages::default().add(page(&[1], 0)).unwrap().unwrap();
    listed.keep_newer(&metadata);
    assert_eq!(revision(&listed, 1), Some(3), "the shard that listed it had not heard of the alteration");
    assert_eq!(revision(&listed, 2), None, "what is not listed is gone");
    listed.insert(described(1, 4));
    assert_eq!(revision(&listed, 1), Some(4));
}
