//! ProduceTogether: batches for several partitions, all or none. Those of one shard are stored with one journal block. Those
//! of several shards are a transaction, which is carried out here: every batch is stored as a part of it, then it is committed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
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
use crate::limits::FORWARDS_PER_PAIR_MIN;
use crate::protocol::{ErrorResponse, Response};
use crate::server::core::{Core, Pending, Waiter};

/// Batches that are asked for at the same time: fewer than an executor may have under way on another one.
const PARTS_UNDER_WAY_MAX: usize = FORWARDS_PER_PAIR_MIN / 2;

/// A transaction that is carried out for a client.
pub struct Together<S> {
    connection: Rc<Connection<S>>,
    pending: RefCell<Option<Pending<S>>>,
    transaction: TransactionKey,
    coordinator: ShardId,
    receipts: RefCell<Vec<BatchReceipt>>,
    /// Every batch had been stored before.
    duplicate: Cell<bool>,
    /// The refusal of the first batch that has one, and its index.
    refusal: RefCell<Option<(usize, Refusal)>>,
    /// Batches that no shard was asked to store.
    waiting: RefCell<VecDeque<Part>>,
    /// Batches that a shard was asked to store and has not answered.
    asked_count: Cell<usize>,
    /// Somebody is asking: an answer that comes at once asks nothing itself.
    is_asking: Cell<bool>,
}

/// One of the batches.
struct Part {
    index: usize,
    shard: ShardId,
    partition: PartitionId,
    batch: BytesMut,
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
    if let Some((unknown, _)) = batches.iter().find(|(partition, _)| core.owner_of(port, *partition).is_none()) {
        let error = ErrorResponse::from(&Refusal::UnknownPartition(*unknown));
        return core.answer_now(pending, &Response::Error(error));
    }
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
    let part = |(index, ((partition, batch), shard))| Part { index, shard, partition, batch };
    let parts: VecDeque<Part> = batches.into_iter().enumerate().map(part).collect();
    // Each batch that is under way is a request to a shard, and one is the client's own.
    let under_way = parts.len().min(PARTS_UNDER_WAY_MAX);
    let has_way = parts.iter().all(|part| core.may_forward(&pending.connection, part.shard));
    if !has_way || !core.charge_parts(&mut pending, under_way - 1) {
        let error = ErrorResponse::from(&Refusal::Busy(coordinator));
        return core.answer_now(pending, &Response::Error(error));
    }
    let together = Rc::new(Together {
        coordinator,
        connection: Rc::clone(&pending.connection),
        pending: RefCell::new(Some(pending)),
        transaction,
        receipts: RefCell::new(vec![nothing; parts.len()]),
        duplicate: Cell::new(true),
        refusal: RefCell::new(None),
        waiting: RefCell::new(parts),
        asked_count: Cell::new(0),
        is_asking: Cell::new(false),
    });
    go_on(core, &together);
}

/// Has the next batches stored, as many as may be under way; once all are answered, the transaction is ended.
fn go_on<N: Network>(core: &Core<N>, together: &Rc<Together<N::Stream>>) {
    if together.is_asking.replace(true) {
        return;
    }
    while let Some(part) = together.next_part(|shard| core.may_forward(&together.connection, shard)) {
        let waiter = Waiter::Together { together: Rc::clone(together), part: Some(part.index) };
        core.ask(part.shard, Request::Capture { partition: part.partition, batch: part.batch }, waiter);
    }
    together.is_asking.set(false);
    if together.asked_count.get() == 0 {
        let (coordinator, transaction, outcome) = (together.coordinator, together.transaction, together.outcome());
        let request = Request::Transaction(TransactionRequest::End { transaction, outcome });
        core.ask(coordinator, request, Waiter::Together { together: Rc::clone(together), part: None });
    }
}

impl<S> Together<S> {
    /// Whose transaction it is.
    pub fn connection(&self) -> &Connection<S> {
        &self.connection
    }

    /// The batch that is to be stored next, if there is one and it has a way. What waits for one has it once an answer comes.
    fn next_part(&self, may_ask: impl Fn(ShardId) -> bool) -> Option<Part> {
        let asked_count = self.asked_count.get();
        let mut waiting = self.waiting.borrow_mut();
        let has_way = |part: &mut Part| asked_count == 0 || may_ask(part.shard);
        let part = if asked_count < PARTS_UNDER_WAY_MAX { waiting.pop_front_if(has_way) } else { None };
        self.asked_count.set(asked_count + usize::from(part.is_some()));
        part
    }

    /// Takes the answer to one of the batches. Once one is refused, no more are stored.
    fn take_part(&self, index: usize, reply: Reply) {
        match reply {
            Reply::Captured { base_offset, append_time, duplicate } => {
                self.receipts.borrow_mut()[index] = BatchReceipt { base_offset, append_time };
                self.duplicate.set(self.duplicate.get() && duplicate);
            }
            Reply::Refused(refusal) => {
                let mut first = self.refusal.borrow_mut();
                if first.as_ref().is_none_or(|(first, _)| index < *first) {
                    *first = Some((index, refusal));
                }
                self.waiting.borrow_mut().clear();
            }
            other => unreachable!("a batch was to be stored, and the answer is {other:?}"),
        }
        self.asked_count.set(self.asked_count.get() - 1);
    }

    /// How the transaction is to end.
    fn outcome(&self) -> TransactionOutcome {
        match *self.refusal.borrow() {
            None => TransactionOutcome::Committed,
            Some(_) => TransactionOutcome::Aborted,
        }
    }

    /// What the client is told once the end of the transaction was answered.
    fn response(&self, reply: Reply) -> Response {
        let refused = |refusal: &Refusal| Response::Error(ErrorResponse::from(refusal));
        match (reply, self.refusal.take().map(|(_, refusal)| refusal)) {
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
            together.take_part(index, reply);
            go_on(core, &together);
        }
        None => {
            let pending = together.pending.take().expect("the end is answered once");
            let response = together.response(reply);
            core.finish(pending, |core, pending| core.respond_with(pending, &response));
        }
    }
}
