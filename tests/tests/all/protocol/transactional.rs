//! A request and a response of every api about transactions, groups and batches that belong together.

use florin_engine::format::control::{GroupOffset, Participant};
use florin_engine::limits;
use florin_engine::model::{
    GroupId, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, ShardId, TransactionKey, TransactionOutcome,
    TransactionalId,
};
use florin_engine::shard::BatchReceipt;
use florin_engine::transaction::{AbortedTransaction, Ended, TransactionState, TransactionStatus, Unnoted};
use florin_net::protocol::{Request, Response};

use super::{PAGE, PARTITION, example_batch, page_tables};
use crate::tree::{Table, read};

const TRANSACTION: TransactionKey = TransactionKey { producer: ProducerId(1 << 48 | 9), epoch: ProducerEpoch(7) };

/// The limits of transactions and groups in the page.
pub(super) fn limits() -> [(&'static str, u64); 11] {
    [
        ("TRANSACTION_TIMEOUT_MS_MIN", u64::from(limits::TRANSACTION_TIMEOUT_MS_MIN)),
        ("TRANSACTION_TIMEOUT_MS_MAX", u64::from(limits::TRANSACTION_TIMEOUT_MS_MAX)),
        ("TRANSACTION_TIMEOUT_MS_DEFAULT", u64::from(limits::TRANSACTION_TIMEOUT_MS_DEFAULT)),
        ("TRANSACTION_PARTICIPANTS_MAX", limits::TRANSACTION_PARTICIPANTS_MAX as u64),
        ("PARTITION_TRANSACTIONS_MAX", limits::PARTITION_TRANSACTIONS_MAX as u64),
        ("TRANSACTIONAL_ID_IDLE_NS", limits::TRANSACTIONAL_ID_IDLE_NS),
        ("COORDINATOR_WAIT_NS", limits::COORDINATOR_WAIT_NS),
        ("OFFSETS_PER_COMMIT_MAX", limits::OFFSETS_PER_COMMIT_MAX as u64),
        ("OFFSET_METADATA_BYTES_MAX", limits::OFFSET_METADATA_BYTES_MAX as u64),
        ("LISTED_COUNT_MAX", limits::LISTED_COUNT_MAX as u64),
        ("STATUS_PARTICIPANTS_MAX", limits::STATUS_PARTICIPANTS_MAX as u64),
    ]
}

fn name() -> TransactionalId {
    TransactionalId::new("settlement-1").expect("a name")
}

fn group() -> GroupId {
    GroupId::new("ledger").expect("a name")
}

/// A transaction that was aborted in what was fetched.
pub(super) fn aborted() -> AbortedTransaction {
    AbortedTransaction { transaction: TRANSACTION, first_offset: Offset(39), marker: Offset(42) }
}

fn offsets() -> Vec<GroupOffset> {
    vec![GroupOffset { partition: PARTITION, offset: Offset(41), metadata: "terminal 7".into() }]
}

pub(super) fn requests() -> Vec<Request> {
    let other = PartitionId { index: PARTITION.index + 1, ..PARTITION };
    vec![
        Request::OpenTransactionalId { name: name(), timeout_ms: 10_000 },
        Request::EndTransaction { transaction: TRANSACTION, outcome: TransactionOutcome::Committed },
        Request::ListTransactions { after: Some(name()) },
        Request::DescribeTransaction { name: name() },
        Request::CommitOffsets { group: group(), transaction: Some(TRANSACTION), offsets: offsets() },
        Request::FetchOffsets { group: group(), after: Some(PARTITION) },
        Request::ListGroups { after: Some(group()) },
        Request::ForgetGroup { group: group() },
        Request::ProduceTogether { batches: vec![(PARTITION, example_batch()), (other, example_batch())] },
    ]
}

pub(super) fn responses() -> Vec<Response> {
    let outcome = TransactionOutcome::Committed;
    let last = Some(Ended { transaction: TRANSACTION, outcome });
    let participant = Participant::Group(group());
    let unnoted = Unnoted { transaction: TRANSACTION, outcome, participant: participant.clone(), shard: ShardId(1) };
    let status = TransactionStatus {
        name: name(),
        current: TRANSACTION,
        state: TransactionState::Ongoing { since: Realtime(5) },
        timeout_ms: 10_000,
        participants: vec![(Participant::Partition(PARTITION), ShardId(0)), (participant, ShardId(1))],
        participant_count: 2,
        last,
        unnoted: vec![unnoted],
        unnoted_count: 1,
    };
    let receipt = BatchReceipt { base_offset: Offset(41), append_time: Realtime(9) };
    vec![
        Response::TransactionalIdOpened { next: TRANSACTION, last },
        Response::TransactionEnded { outcome, next: TRANSACTION },
        Response::Transactions(vec![status.clone(), status.clone()]),
        Response::Transaction(Some(status)),
        Response::OffsetsCommitted,
        Response::Offsets(offsets().into_iter().map(|offset| (offset, Realtime(9))).collect()),
        Response::Groups(vec![group()]),
        Response::GroupForgotten,
        Response::ProducedTogether { receipts: vec![receipt, receipt], duplicate: true, next: Some(TRANSACTION) },
    ]
}

#[test]
fn the_page_says_how_long_a_chosen_name_may_be_and_what_codes_mean_for_a_transaction() {
    let said = format!("1 to {} bytes without control characters", limits::GIVEN_NAME_BYTES_MAX);
    assert_eq!(read(PAGE).matches(&said).count(), 3, "{said}");
    let tables = page_tables();
    let codes = Table::find(&tables, &["code", "what it means for the transaction", "what the client does"]);
    let said: Vec<_> = codes.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(said, ["4", "32", "60", "61", "62", "63", "64", "65", "67", "other"]);
}
