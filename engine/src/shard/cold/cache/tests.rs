use super::*;
use crate::model::TopicId;

const PARTITION: PartitionId = PartitionId { topic: TopicId(1), index: 0 };

fn chunk(base: u64, next: u64) -> Rc<Chunk> {
    Rc::new(Chunk {
        base_offset: Offset(base),
        next_offset: Offset(next),
        batches: Vec::new(),
        damaged: Vec::new(),
        is_unreadable: false,
    })
}

fn covering(cache: &mut ChunkCache, offset: u64) -> Option<u64> {
    cache.covering(PARTITION, Offset(offset)).map(|chunk| chunk.base_offset.0)
}

#[test]
fn a_stretch_is_found_by_every_offset_that_it_holds_also_where_smaller_ones_were_kept_before() {
    let mut cache = ChunkCache::chunks();
    cache.keep(PARTITION, chunk(5, 6));
    cache.keep(PARTITION, chunk(0, 10));
    assert_eq!([0, 5, 9, 10].map(|offset| covering(&mut cache, offset)), [Some(0), Some(0), Some(0), None]);
    assert!(cache.covering(PartitionId { index: 1, ..PARTITION }, Offset(5)).is_none());
    cache.forget(PARTITION);
    assert_eq!(covering(&mut cache, 5), None);
}

#[test]
fn what_was_used_least_lately_goes_when_there_is_no_room_and_the_newest_stays() {
    let mut cache: Cache<u64, ()> = Cache::new(100);
    for key in 0..3 {
        cache.insert(key, Rc::new(()), 40);
    }
    assert!(cache.get(&0).is_none());
    assert!(cache.get(&1).is_some());
    cache.insert(3, Rc::new(()), 40);
    assert!(cache.get(&2).is_none() && cache.get(&1).is_some());
    cache.insert(4, Rc::new(()), 1000);
    assert!(cache.get(&4).is_some() && cache.get(&1).is_none());
    cache.insert(4, Rc::new(()), 10);
    assert_eq!(cache.bytes, 10);
}
