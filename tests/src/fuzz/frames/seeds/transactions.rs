//! Requests and responses about transactions, groups and batches that belong together.

use bytes::BytesMut;
use florin_engine::format::control::{GroupOffset, Participant};
use florin_engine::model::{
    GroupId, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, ShardId, TransactionKey, TransactionOutcome,
    TransactionalId,
};
use florin_engine::partition::Isolation;
use florin_engine::shard::BatchReceipt;
use florin_engine::transaction::{AbortedTransaction, Ended, TransactionState, TransactionStatus, Unnoted};
use florin_net::protocol::{Api, ListAt, Request, RequestFrom, Response};

use super::PARTITION;
use crate::fuzz::batches::placed_batch;

const TRANSACTION: TransactionKey = TransactionKey { producer: ProducerId(1 << 48 | 9), epoch: ProducerEpoch(7) };

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
    let batch = |value: &[u8]| BytesMut::from(&placed_batch(0, &[value])[..]);
    let isolation = Isolation::Committed;
    let from = RequestFrom::Offset(Offset(41));
    vec![
        Request::OpenTransactionalId { name: name(), timeout_ms: 10_000 },
        Request::EndTransaction { transaction: TRANSACTION, outcome: TransactionOutcome::Committed },
        Request::EndTransaction { transaction: TRANSACTION, outcome: TransactionOutcome::Aborted },
        Request::ListTransactions { after: None },
        Request::ListTransactions { after: Some(name()) },
        Request::DescribeTransaction { name: name() },
        Request::CommitOffsets { group: group(), transaction: None, offsets: offsets() },
        Request::CommitOffsets { group: group(), transaction: Some(TRANSACTION), offsets: offsets() },
        Request::FetchOffsets { group: group(), after: None },
        Request::FetchOffsets { group: group(), after: Some(PARTITION) },
        Request::ListGroups { after: Some(group()) },
        Request::ForgetGroup { group: group() },
        Request::ProduceTogether { batches: vec![(PARTITION, batch(b"one")), (other, batch(b"two"))] },
        Request::Fetch { partition: PARTITION, from, bytes_max: 1 << 20, wait_ms: 500, isolation },
        Request::ListOffsets { partition: PARTITION, at: ListAt::Stable },
    ]
}

pub(super) fn responses() -> Vec<(Api, Response)> {
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
        (Api::OpenTransactionalId, Response::TransactionalIdOpened { next: TRANSACTION, last }),
        (Api::OpenTransactionalId, Response::TransactionalIdOpened { next: TRANSACTION, last: None }),
        (Api::EndTransaction, Response::TransactionEnded { outcome, next: TRANSACTION }),
        (Api::ListTransactions, Response::Transactions(vec![status.clone(), status.clone()])),
        (Api::DescribeTransaction, Response::Transaction(Some(status))),
        (Api::DescribeTransaction, Response::Transaction(None)),
        (Api::CommitOffsets, Response::OffsetsCommitted),
        (Api::FetchOffsets, Response::Offsets(offsets().into_iter().map(|offset| (offset, Realtime(9))).collect())),
        (Api::ListGroups, Response::Groups(vec![group()])),
        (Api::ForgetGroup, Response::GroupForgotten),
        (
            Api::ProduceTogether,
            Response::ProducedTogether { receipts: vec![receipt, receipt], duplicate: true, next: Some(TRANSACTION) },
        ),
    ]
}
