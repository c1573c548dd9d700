//! What movers do beside their transactions.

use florin_engine::model::{Offset, PartitionId, TransactionOutcome};
use florin_engine::partition::Isolation;
use florin_engine::shard::Action;
use florin_net::protocol::{Code, Request, RequestFrom, Response};
use rand::Rng;

use super::{Conversation, Mover};
use crate::wire::clients::FETCH_BYTES_MAX;
use crate::wire::clients::watcher::visible;
use crate::wire::ground::Trouble;
use crate::wire::promises::moves::Manner;
use crate::world::checkers::violation;

impl Mover {
    /// Asks for the end of a transaction that ended long ago: however it is asked for, it ended as it did.
    pub(super) async fn end_late(&mut self, session: &mut Conversation) -> Result<(), Trouble> {
        let (transaction, was) = self.ended[self.random.random_range(0..self.ended.len())];
        let outcome = match self.random.random_bool(0.5) {
            true => TransactionOutcome::Committed,
            false => TransactionOutcome::Aborted,
        };
        self.ground.count(|summary| summary.late_end_count += 1);
        match self.ask_one(session, Request::EndTransaction { transaction, outcome }).await? {
            Response::TransactionEnded { outcome: ended, .. } if ended == was && outcome == was => Ok(()),
            Response::TransactionEnded { outcome: ended, .. } => violation(
                "late end",
                format!("{transaction} was {was:?}, and ends {ended:?} when asked to be {outcome:?}"),
            )?,
            Response::Error(error) => match error.code {
                Code::TRANSACTION_ABORTED if was == TransactionOutcome::Aborted => Ok(()),
                Code::TRANSACTION_COMMITTED if was == TransactionOutcome::Committed => Ok(()),
                Code::TRANSACTION_FENCED => Ok(()),
                _ => self.ground.is_no_blame(&error).map_err(Trouble::from),
            },
            other => self.ground.misfit("the end of a transaction", &other),
        }
    }

    /// Batches of the partitions of one shard, with one request and without a transaction.
    pub(super) async fn append_together(&mut self, session: &mut Conversation) -> Result<(), Trouble> {
        let placement = self.topic().placement;
        let shard = placement[self.random.random_range(0..placement.len())];
        let of_shard = (0..).zip(&placement).filter(|(_, owner)| **owner == shard).map(|(index, _)| index);
        let partitions: Vec<u32> = of_shard.collect();
        let number = self.ground.move_number();
        let parts = self.parts(number, None, &partitions);
        self.begin(number, Manner::Together, &parts, false);
        self.ground.moves.borrow_mut().ask(number);
        match self.ask_one(session, self.together(&parts)).await? {
            Response::ProducedTogether { receipts, .. } => {
                self.ground.count(|summary| summary.together_count += 1);
                for (part, receipt) in parts.iter().zip(receipts) {
                    self.ground.moved(part.partition, receipt.base_offset, &part.values)?;
                }
                Ok(self.ground.moves.borrow_mut().tell(number, TransactionOutcome::Committed)?)
            }
            Response::Error(error) => {
                self.ground.is_no_blame(&error)?;
                if error.action != Action::OutcomeUnknown {
                    self.ground.moves.borrow_mut().tell(number, TransactionOutcome::Aborted)?;
                }
                Ok(())
            }
            other => self.ground.misfit("batches together", &other),
        }
    }

    /// Reads on in some partition what counts; as a part of a transaction, if one is given.
    pub(super) async fn read(&mut self, session: &mut Conversation, within: Option<u64>) -> Result<(), Trouble> {
        let topic = self.topic();
        let index = self.random.random_range(0..u32::try_from(topic.placement.len()).expect("few partitions"));
        let from = self.positions.get(&index).copied().unwrap_or(0);
        let request = Request::Fetch {
            partition: PartitionId { topic: topic.id, index },
            from: RequestFrom::Offset(Offset(from)),
            bytes_max: u32::try_from(FETCH_BYTES_MAX).expect("few bytes"),
            wait_ms: 0,
            isolation: Isolation::Committed,
        };
        match self.ask_one(session, request).await? {
            Response::Fetched(fetched) => {
                let (values, next) = visible(&fetched, from)?;
                let mut moves = self.ground.moves.borrow_mut();
                moves.see_all(index, from..next, &values)?;
                if let Some(number) = within {
                    values.iter().for_each(|(_, value)| moves.read_in(number, *value));
                }
                self.positions.insert(index, next);
                Ok(())
            }
            Response::Error(error) => self.ground.is_no_blame(&error).map_err(Trouble::from),
            other => self.ground.misfit("a fetch", &other),
        }
    }
}
