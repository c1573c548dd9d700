use florin_engine::format::batch::BatchError;
use florin_engine::model::{Offset, PartitionId, Realtime, ShardId, TopicId};
use florin_engine::partition::Gap;
use florin_engine::shard::Refusal;

use super::{CODES, Code, action_number, action_of_number, code_row};

#[test]
fn codes_are_listed_once_in_the_order_of_their_numbers() {
    assert!(CODES.is_sorted_by(|one, other| one.code < other.code));
    assert!(code_row(Code::OK).is_none());
}

#[test]
fn a_refusal_of_the_engine_has_its_number_and_action_in_the_table() {
    let shard = ShardId(0);
    let partition = PartitionId { topic: TopicId(7), index: 1 };
    let refusals = [
        Refusal::Starting(shard),
        Refusal::Stopping(shard),
        Refusal::ShardUnavailable(shard),
        Refusal::OutcomeUnknown(shard),
        Refusal::JournalFull(shard),
        Refusal::Busy(shard),
        Refusal::NotCoordinator,
        Refusal::CatalogueFull,
        Refusal::StillWorking,
        Refusal::Batch(BatchError::Short { bytes: 1 }),
        Refusal::Batch(BatchError::Transactional),
        Refusal::Batch(BatchError::Checksum { claimed: 1, computed: 2 }),
        Refusal::OffsetOutOfRange { asked: Offset(9), start: Offset(0), end: Offset(3) },
        Refusal::Damaged { partition, from: Offset(3), to: Offset(6) },
        Refusal::ReadFailed { partition, why: String::new() },
        Refusal::Lost { partition, gap: Gap { base_offset: Offset(3), next_offset: Offset(6), accepted: Realtime(1) } },
        Refusal::ProducersFull(shard),
        Refusal::ProducerIdsExhausted(shard),
        Refusal::CheckpointFailed(String::new()),
    ];
    for refusal in refusals {
        let row = code_row(Code::from(&refusal)).unwrap_or_else(|| panic!("{refusal:?} is not in the table"));
        assert_eq!(row.action, refusal.action(), "{refusal:?}");
    }
}

#[test]
fn every_action_has_a_number_that_gives_it_back() {
    for row in CODES {
        assert_eq!(action_of_number(action_number(row.action)), Some(row.action));
    }
    assert_eq!(action_of_number(0), None);
}
