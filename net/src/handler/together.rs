//! ProduceTogether: batches for several partitions, all or none. Those of one shard are stored with one journal block. Those
//! of several shards are a transaction, which is carried out here: every batch is stored as a part of it, then it is committed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::BytesMut;
use florin_engine::format::batch::BatchHeader;
use florin_engine::limits::TRANSACTION_PARTICIPANTS_MAX;
use florin_engine::model::{PartitionId, ShardId, TransactionKey, TransactionOutcome};
use florin_engine::shard::{
    Action, BatchReceipt, Refusal, Reply, Request, TransactionRefusal, TransactionReply, TransactionRequest,
};

use super::produce::owner;
use super::transactions::coordinator;
use crate::connection::Connection;
use crate::io::Network;
use crate::protocol::{ErrorResponse, Response};
use crate::server::core::{Core, Pending, Waiter};

/// A transaction that is carried out for a client.
pub struct Together<S> {
    connection: Rc<Connection<S>>,
    pending: RefCell<Option<Pending<S>>>,
    transaction: TransactionKey,
    coordinator: ShardId,
    receipts: RefCell<Vec<BatchReceipt>>,
    /// Every batch had been stored before.
    duplicate: Cell<bool>,
    refusal: RefCell<Option<Refusal>>,
    missing: Cell<usize>,
}

/// Stores batches of several partitions, all or none.
pub(super) fn produce<N: Network>(core: &Core<N>, pending: Pending<N::Stream>, batches: Vec<(PartitionId, BytesMut)>) {
    let refuse = |pending, refusal: TransactionRefusal| {
        let error = ErrorResponse::from(&Refusal::from(refusal));
        core.answer_now(pending, &Response::Error(error));
    };
    if !(1..=TRANSACTION_PARTICIPANTS_MAX).contains(&batches.len()) {
        return refuse(pending, TransactionRefusal::Together("their number is out of its bounds"));
    }
    let port = pending.connection.shard;
    let owners: Vec<ShardId> = batches.iter().map(|(partition, _)| owner(core, port, *partition)).collect();
    let transactions: Vec<_> = batches.iter().map(|(_, batch)| transaction_of(batch)).collect();
    match transactions[0] {
        Some(transaction) if transactions.iter().all(|other| *other == Some(transaction)) => {
            let mut partitions: Vec<_> = batches.iter().map(|(partition, _)| *partition).collect();
            partitions.sort_unstable();
            partitions.dedup();
            if partitions.len() < batches.len() {
                let what = TransactionRefusal::Together("a partition comes twice: give each one batch");
                return refuse(pending, what);
            }
            begin(core, pending, transaction, batches.into_iter().zip(owners).collect());
        }
        None if transactions.iter().all(Option::is_none) => match owners.iter().all(|owner| *owner == owners[0]) {
            true => core.ask(owners[0], Request::CaptureTogether { batches }, Waiter::Client(pending)),
            false => refuse(
                pending,
                TransactionRefusal::Together("their partitions are on several shards: send them as a transaction"),
            ),
        },
        _ => refuse(pending, TransactionRefusal::Together("they are not all of the same transaction, or of none")),
    }
}

fn transaction_of(batch: &[u8]) -> Option<TransactionKey> {
    BatchHeader::read(batch).ok()?.transaction()
}

fn begin<N: Network>(
    core: &Core<N>,
    mut pending: Pending<N::Stream>,
    transaction: TransactionKey,
    batches: Vec<((PartitionId, BytesMut), ShardId)>,
) {
    let nothing = BatchReceipt { base_offset: Default::default(), append_time: Default::default() };
    let coordinator = coordinator(core, pending.connection.shard, transaction);
    // Each batch is a request to a shard, and one is the client's own.
    if !core.charge_parts(&mut pending, batches.len() - 1) {
        let error = ErrorResponse::from(&Refusal::Busy(coordinator));
        return core.answer_now(pending, &Response::Error(error));
    }
    let together = Rc::new(Together {
        coordinator,
        connection: Rc::clone(&pending.connection),
        pending: RefCell::new(Some(pending)),
        transaction,
        receipts: RefCell::new(vec![nothing; batches.len()]),
        duplicate: Cell::new(true),
        refusal: RefCell::new(None),
        missing: Cell::new(batches.len()),
    });
    for (index, ((partition, batch), shard)) in batches.into_iter().enumerate() {
        let waiter = Waiter::Together { together: Rc::clone(&together), part: Some(index) };
        core.ask(shard, Request::Capture { partition, batch }, waiter);
    }
}

impl<S> Together<S> {
    /// Whose transaction it is.
    pub fn connection(&self) -> &Connection<S> {
        &self.connection
    }

    /// Takes the answer to one of the batches; with the last one it is known how the transaction is to end.
    fn take_part(&self, index: usize, reply: Reply) -> Option<TransactionOutcome> {
        match reply {
            Reply::Captured { base_offset, append_time, duplicate } => {
                self.receipts.borrow_mut()[index] = BatchReceipt { base_offset, append_time };
                self.duplicate.set(self.duplicate.get() && duplicate);
            }
            Reply::Refused(refusal) => {
                self.refusal.borrow_mut().get_or_insert(refusal);
            }
            other => unreachable!("a batch was to be stored, and the answer is {other:?}"),
        }
        self.missing.set(self.missing.get() - 1);
        let outcome = match *self.refusal.borrow() {
            None => TransactionOutcome::Committed,
            Some(_) => TransactionOutcome::Aborted,
        };
        (self.missing.get() == 0).then_some(outcome)
    }

    /// What the client is told once the end of the transaction was answered.
    fn response(&self, reply: Reply) -> Response {
        let refused = |refusal: &Refusal| Response::Error(ErrorResponse::from(refusal));
        match (reply, self.refusal.take()) {
            (Reply::Transaction(TransactionReply::Ended { next, .. }), None) => {
                let (receipts, duplicate) = (self.receipts.take(), self.duplicate.get());
                Response::ProducedTogether { receipts, duplicate, next: Some(next) }
            }
            // It was aborted: nothing counts, and none of it can be sent again.
            (Reply::Transaction(_), Some(refusal))
                if matches!(refusal.action(), Action::OutcomeUnknown | Action::Retry) =>
            {
                refused(&TransactionRefusal::Aborted(self.transaction).into())
            }
            // It was committed before, whatever refused one of its batches this time.
            (Reply::Refused(committed @ Refusal::Transaction(TransactionRefusal::Committed(_))), Some(_)) => {
                refused(&committed)
            }
            (Reply::Refused(refusal), None) | (_, Some(refusal)) => refused(&refusal),
            (other, None) => unreachable!("a transaction was to be ended, and the answer is {other:?}"),
        }
    }
}

/// Goes on with a transaction that is carried out for a client.
pub fn answered<N: Network>(core: &Core<N>, together: Rc<Together<N::Stream>>, part: Option<usize>, reply: Reply) {
    match part {
        Some(index) => {
            let Some(outcome) = together.take_part(index, reply) else { return };
            let (coordinator, transaction) = (together.coordinator, together.transaction);
            let request = Request::Transaction(TransactionRequest::End { transaction, outcome });
            core.ask(coordinator, request, Waiter::Together { together, part: None });
        }
        None => {
            let pending = together.pending.take().expect("the end is answered once");
            let response = together.response(reply);
            core.finish(pending, |core, pending| core.respond_with(pending, &response));
        }
    }
}
