use bytes::{BufMut, Bytes};

use super::*;
use crate::format::manifest::Section;
use crate::model::{Id128, Offset};
use crate::producer::MintError;

const SHARD_COUNT: u16 = 2;
const SEQUENCE: Sequence = Sequence(5);
const NOW: Realtime = Realtime(99);

fn topic(id: u64, name: &str, placement: &[u16]) -> TopicDescriptor {
    TopicDescriptor::new(TopicId(id), name, placement.iter().copied().map(ShardId).collect()).expect("valid")
}

/// A shard with these topics open, as shard 0 knows these others. Its partitions are written in the order of `order`.
struct Shard<'a> {
    catalogue: &'a [TopicDescriptor],
    open: &'a [TopicDescriptor],
    order: &'a [usize],
}

impl Shard<'_> {
    fn manifest(&self) -> Manifest {
        let mut owner = OwnerState::new(SHARD_COUNT);
        for descriptor in self.catalogue {
            owner.apply(&crate::catalogue::CatalogueRecord::Creating(descriptor.clone())).expect("the next topic");
        }
        let mut owned = OwnedState::new(COORDINATOR);
        for descriptor in self.open {
            owned.apply(&OwnedRecord::Opened(descriptor.clone())).expect("it is here");
        }
        let (mut catalogue, mut topics, mut partitions) = (Vec::new(), Vec::new(), Vec::new());
        owner.encode(&mut catalogue);
        owned.encode(&mut topics);
        partitions.put_u32_le(u32::try_from(topics.len()).unwrap());
        partitions.put_slice(&topics);
        partitions.put_u32_le(u32::try_from(self.order.len()).unwrap());
        let all: Vec<PartitionId> = owned.partitions().collect();
        self.order.iter().for_each(|at| Partition::new(all[*at]).encode(&mut partitions));
        of_sections(&[(Module::Catalogue, &catalogue), (Module::Partitions, &partitions)])
    }
}

fn of_sections(sections: &[(Module, &[u8])]) -> Manifest {
    let section = |(module, bytes): &(Module, &[u8])| Section {
        module: *module,
        version: SECTION_VERSION,
        sequence: SEQUENCE,
        bytes: Bytes::copy_from_slice(bytes),
    };
    Manifest {
        directory_id: Id128([7; 16]),
        shard: COORDINATOR,
        generation: 3,
        sequence: SEQUENCE,
        sections: sections.iter().map(section).collect(),
    }
}

fn name(shard: ShardId) -> JournalName {
    JournalName { journal_id: Id128([5; 16]), shard }
}

fn read(shard: ShardId, manifest: &Manifest) -> Result<ShardState, String> {
    replay(name(shard), SHARD_COUNT, manifest, &[]).map_err(|error| error.to_string())
}

fn salvaged(manifest: &Manifest, entry_count: u64, offset_count: u64) -> Result<ShardState, String> {
    let bound = LossBound { last_lost: SEQUENCE, offset_count, entry_count };
    let accepted = Accepted { time: NOW, catalogue: None, is_complete: false };
    replay_salvage(name(COORDINATOR), SHARD_COUNT, manifest, &[], Some(bound), accepted)
        .map_err(|error| error.to_string())
}

#[test]
fn a_number_with_something_behind_it_is_refused() {
    for module in [Module::ProducerIds, Module::Clock] {
        assert!(read(COORDINATOR, &of_sections(&[(module, &[1, 0, 0, 0, 0, 0, 0, 0])])).is_ok());
        let longer = read(COORDINATOR, &of_sections(&[(module, &[1, 0, 0, 0, 0, 0, 0, 0, 0])])).unwrap_err();
        assert!(longer.contains(&format!("section {module:?} goes on behind its number")), "{longer}");
        assert!(read(COORDINATOR, &of_sections(&[(module, &[1, 0, 0])])).is_err());
    }
    let above = read(COORDINATOR, &of_sections(&[(Module::ProducerIds, &[0xff; 8])])).unwrap_err();
    assert!(above.contains(&MintError::Reservation { up_to: u64::MAX }.to_string()), "{above}");
}

#[test]
fn partitions_are_read_in_their_order_and_once() {
    let open = [topic(1, "one", &[0, 0])];
    let shard = |order| Shard { catalogue: &open, open: &open, order }.manifest();
    assert_eq!(read(COORDINATOR, &shard(&[0, 1])).unwrap().partitions.len(), 2);
    for order in [&[1, 0][..], &[0, 0, 1], &[0, 1, 1]] {
        let error = read(COORDINATOR, &shard(order)).unwrap_err();
        assert!(error.contains("is out of order"), "{order:?}: {error}");
    }
    assert!(read(COORDINATOR, &shard(&[0])).unwrap_err().contains("do not agree"));
}

#[test]
fn only_the_shard_of_the_catalogue_has_one() {
    let manifest = Shard { catalogue: &[], open: &[], order: &[] }.manifest();
    assert!(read(COORDINATOR, &manifest).unwrap().owner.is_some());
    let error = read(ShardId(1), &manifest).unwrap_err();
    assert!(error.contains("a catalogue on a shard that has none"), "{error}");
}

#[test]
fn a_manifest_of_the_last_block_there_can_be_is_read() {
    let mut bytes = Vec::new();
    Partition::new(PartitionId::default()).producers().encode(&mut bytes);
    let mut partition = Partition::new(PartitionId::default());
    assert_eq!(partition.decode_producers(&mut &bytes[..], Sequence(u64::MAX)), Ok(()));
}

#[test]
fn topics_that_shard_0_knows_otherwise_are_refused_when_blocks_are_lost() {
    let open = [topic(1, "one", &[0, 0])];
    let shard = |catalogue: &[TopicDescriptor]| Shard { catalogue, open: &open, order: &[0, 1] }.manifest();
    for other in [topic(1, "two", &[0, 0]), topic(1, "one", &[0, 1]), topic(1, "one", &[1, 0])] {
        let manifest = shard(&[other]);
        let error = salvaged(&manifest, 1, 1).unwrap_err();
        assert!(error.contains("topic 1"), "{error}");
    }
    let more = shard(&[topic(1, "one", &[0, 0, 1, 0])]);
    let state = salvaged(&more, 1, 1).unwrap();
    assert!(state.owned.partitions().eq(state.partitions.keys().copied()));
    assert_eq!(state.partitions.len(), 3, "a partition more that may have had offsets");
    let fewer = salvaged(&shard(&[topic(1, "one", &[0])]), 1, 1).unwrap();
    assert!(fewer.owned.partitions().eq(fewer.partitions.keys().copied()));
    assert_eq!(fewer.partitions.len(), 2, "the shard knows more than shard 0 does");
}

#[test]
fn a_loss_that_leaves_no_offsets_ids_or_versions_is_refused() {
    let open = [topic(1, "one", &[0])];
    let manifest = Shard { catalogue: &open, open: &open, order: &[0] }.manifest();
    let state = salvaged(&manifest, 10, 10).unwrap();
    assert_eq!(state.partitions.values().next().map(Partition::next_offset), Some(Offset(10)));
    assert_eq!(state.owner.unwrap().topic_id_next(), TopicId(12));
    assert!(salvaged(&manifest, 10, u64::MAX).unwrap_err().contains("above all that a batch can have"));
    assert!(salvaged(&manifest, u64::MAX, 10).unwrap_err().contains("exhausted"));
}
