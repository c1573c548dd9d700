//! The batches of one partition, in order.
//!
//! Every partition has an epoch of its own, which the server's tables, one per partition, allow. So an unknown outcome
//! in one partition raises the epoch there and nowhere else: the batches of other partitions that are under way keep
//! their stamps, and none of them has to be drained for it.

use std::collections::VecDeque;

use bytes::Bytes;
use florin_engine::format::batch::{BatchBuilder, BatchError, Header, sequence_plus};
use florin_engine::model::{ProducerEpoch, ProducerId};

use super::{BatchOutcome, is_about_room, stamp, unknown};
use crate::client::SendError;
use crate::client::core::back_off::BackOff;
use crate::protocol::ErrorResponse;

/// The last epoch that a batch can hold.
const EPOCH_MAX: u16 = i16::MAX.cast_unsigned();

/// A batch that takes records.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) linger_until_ns: u64,
    builder: BatchBuilder,
    deadline_ns: u64,
    cost_bytes: usize,
}

/// The bytes of a batch, built when they are first needed.
#[derive(Debug)]
enum Content {
    Records(BatchBuilder),
    Whole(Bytes),
    /// Only while one becomes the other, and once the batch has its outcome.
    Gone,
}

/// How far a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// To be sent.
    Waiting,
    /// Sent, by the attempt of this number, and not answered.
    Sent(u64),
    /// It has its outcome. It keeps its place until those before it have theirs: what is sent and what the server
    /// keeps receipts of are counted by places.
    Ended,
}

/// A batch that takes no more records.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) number: u64,
    pub(super) progress: Progress,
    /// Whether an attempt may have stored it whose answer never came.
    pub(super) maybe_stored: bool,
    /// Its first sequence, if it was given one.
    pub(super) base_sequence: Option<u32>,
    /// Why the last attempt did not store it.
    pub(super) refusal: Option<ErrorResponse>,
    record_count: u32,
    deadline_ns: u64,
    cost_bytes: usize,
    content: Content,
}

/// What has to happen before more can be sent, because a sequence will never be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restamp {
    /// The next epoch, from sequence 0 on: it fences whatever of the old one still comes.
    RaiseEpoch,
    /// Another producer id, because the server forgot this one.
    NewIdentity,
}

/// The batches of one partition.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) open: Option<Open>,
    /// In the order in which they are to be stored.
    pub(super) batches: VecDeque<Batch>,
    /// The id and epoch of what was stamped last.
    pub(super) identity: Option<(ProducerId, ProducerEpoch)>,
    next_sequence: u32,
    epoch_is_raised: bool,
    /// Something was not stored: send nothing until nothing is under way.
    pub(super) rewinds: bool,
    pub(super) restamp: Option<Restamp>,
    pub(super) back_off: BackOff,
    released_bytes: usize,
}

impl Open {
    pub(super) fn new(number: u64, bytes_max: usize, linger_until_ns: u64) -> Self {
        let builder = BatchBuilder::with_bytes_max(bytes_max);
        Self { number, linger_until_ns, builder, deadline_ns: u64::MAX, cost_bytes: 0 }
    }

    /// Adds a record and gives its index; none if the batch cannot take it.
    pub(super) fn push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Option<u32> {
        self.try_push(timestamp_ms, key, value, headers).ok()
    }

    pub(super) fn try_push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<u32, BatchError> {
        let index = self.builder.record_count();
        self.builder.push(timestamp_ms, key, value, headers).inspect_err(|error| assert!(is_about_room(error)))?;
        Ok(index)
    }

    /// Counts a record that was added.
    pub(super) fn note(&mut self, cost_bytes: usize, deadline_ns: u64) {
        self.cost_bytes += cost_bytes;
        self.deadline_ns = self.deadline_ns.min(deadline_ns);
    }

    pub(super) fn record_count(&self) -> u32 {
        self.builder.record_count()
    }
}

impl Batch {
    /// Marks it as sent and gives its bytes, the same each time unless it was restamped.
    pub(super) fn send(&mut self, attempt: u64) -> Bytes {
        assert_eq!(self.progress, Progress::Waiting, "a batch is sent again when its last attempt has ended");
        self.progress = Progress::Sent(attempt);
        self.whole()
    }

    fn whole(&mut self) -> Bytes {
        let bytes = match std::mem::replace(&mut self.content, Content::Gone) {
            Content::Records(builder) => builder.finish().freeze(),
            Content::Whole(bytes) => bytes,
            Content::Gone => panic!("a batch without an outcome has its bytes"),
        };
        self.content = Content::Whole(bytes.clone());
        bytes
    }

    fn stamp(&mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: u32) {
        self.content = match std::mem::replace(&mut self.content, Content::Gone) {
            Content::Records(mut builder) => {
                builder.stamp(id, epoch, base_sequence);
                Content::Whole(builder.finish().freeze())
            }
            Content::Whole(bytes) => Content::Whole(stamp::restamped(bytes, id, epoch, base_sequence)),
            Content::Gone => panic!("a batch without an outcome has its bytes"),
        };
        self.base_sequence = Some(base_sequence);
    }

    /// Whether it may be stored although no answer says so.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.maybe_stored || matches!(self.progress, Progress::Sent(_))
    }

    /// Gives it its outcome.
    pub(super) fn end(&mut self, outcome: BatchOutcome, outcomes: &mut Vec<(u64, BatchOutcome)>) {
        assert_ne!(self.progress, Progress::Ended, "batch {} has two outcomes", self.number);
        self.progress = Progress::Ended;
        self.content = Content::Gone;
        outcomes.push((self.number, outcome));
    }
}

impl Lane {
    /// Closes the batch that takes records; tells whether there was one.
    pub(super) fn seal(&mut self) -> bool {
        let Some(open) = self.open.take() else { return false };
        assert!(open.record_count() > 0, "a batch is opened by its first record");
        self.batches.push_back(Batch {
            number: open.number,
            progress: Progress::Waiting,
            maybe_stored: false,
            base_sequence: None,
            refusal: None,
            record_count: open.record_count(),
            deadline_ns: open.deadline_ns,
            cost_bytes: open.cost_bytes,
            content: Content::Records(open.builder),
        });
        true
    }

    /// The batch to send next, if there is one within the first `in_flight_max` places.
    pub(super) fn next_to_send(&self, in_flight_max: usize) -> Option<usize> {
        self.batches.iter().take(in_flight_max).position(|batch| batch.progress == Progress::Waiting)
    }

    /// Whether batches may be sent now.
    pub(super) fn is_ready(&self, now_ns: u64) -> bool {
        !self.rewinds && self.back_off.is_over(now_ns)
    }

    /// Gives a batch the next sequence, unless it has one.
    ///
    /// # Errors
    /// The epoch, if the next one is needed and there is none.
    pub(super) fn stamp(
        &mut self,
        index: usize,
        producer: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(), ProducerEpoch> {
        if self.batches[index].base_sequence.is_some() {
            return Ok(());
        }
        let (id, epoch) = match self.identity {
            Some((id, epoch)) if self.epoch_is_raised => {
                if epoch.0 >= EPOCH_MAX {
                    return Err(epoch);
                }
                self.next_sequence = 0;
                (id, ProducerEpoch(epoch.0 + 1))
            }
            Some(identity) => identity,
            None => {
                self.next_sequence = 0;
                producer.expect("batches are sent once there is an identity")
            }
        };
        self.identity = Some((id, epoch));
        self.epoch_is_raised = false;
        let batch = &mut self.batches[index];
        batch.stamp(id, epoch, self.next_sequence);
        self.next_sequence = sequence_plus(self.next_sequence, batch.record_count);
        Ok(())
    }

    /// Notes that a sequence will never be stored: what follows it gets another stamp, once nothing is under way.
    pub(super) fn leave_gap(&mut self, restamp: Restamp) {
        // A raised epoch is always right, and what asked for it must not be forgotten.
        if self.restamp != Some(Restamp::RaiseEpoch) {
            self.restamp = Some(restamp);
        }
        self.rewinds = true;
    }

    /// Gives up what has no time left. Only the first batch is looked at: those behind it were sent later, and none of
    /// them may be stored before it has its outcome.
    pub(super) fn expire(&mut self, now_ns: u64, outcomes: &mut Vec<(u64, BatchOutcome)>) {
        if self.batches.is_empty() && self.open.as_ref().is_some_and(|open| open.deadline_ns <= now_ns) {
            self.seal();
        }
        while let Some(batch) = self.batches.front_mut() {
            if batch.progress != Progress::Ended {
                if batch.deadline_ns > now_ns {
                    break;
                }
                let was_stamped = batch.base_sequence.is_some();
                batch.end(BatchOutcome::Failed(late(batch)), outcomes);
                if was_stamped {
                    self.leave_gap(Restamp::RaiseEpoch);
                }
            }
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(batch) = self.batches.pop_front() {
            self.released_bytes += batch.cost_bytes;
        }
    }

    /// Forgets ended batches at the front, and begins anew once nothing is under way. Gives the bytes released.
    pub(super) fn settle(&mut self, outcomes: &mut Vec<(u64, BatchOutcome)>) -> usize {
        let is_under_way = self.batches.iter().any(|batch| matches!(batch.progress, Progress::Sent(_)));
        if self.rewinds && !is_under_way {
            self.rewinds = false;
            if let Some(restamp) = self.restamp.take() {
                self.begin_anew(restamp, outcomes);
            }
        }
        while self.batches.front().is_some_and(|batch| batch.progress == Progress::Ended) {
            self.pop();
        }
        std::mem::take(&mut self.released_bytes)
    }

    /// What is certainly not stored will get another stamp. What may be stored cannot: it might be stored twice.
    fn begin_anew(&mut self, restamp: Restamp, outcomes: &mut Vec<(u64, BatchOutcome)>) {
        for batch in self.batches.iter_mut().filter(|batch| batch.progress != Progress::Ended) {
            if batch.maybe_stored {
                let error = unknown("its connection was lost, and a batch before it cannot be sent again");
                batch.end(BatchOutcome::Failed(error), outcomes);
            } else {
                batch.base_sequence = None;
            }
        }
        match restamp {
            Restamp::RaiseEpoch => self.epoch_is_raised = true,
            Restamp::NewIdentity => {
                self.identity = None;
                self.epoch_is_raised = false;
            }
        }
    }

    /// Ends every batch: `not_stored` for what was certainly not stored.
    pub(super) fn end(&mut self, not_stored: &SendError, outcomes: &mut Vec<(u64, BatchOutcome)>) {
        self.seal();
        for batch in self.batches.iter_mut().filter(|batch| batch.progress != Progress::Ended) {
            let error = if batch.is_in_doubt() {
                unknown("its producer ended before the answer came")
            } else {
                not_stored.clone()
            };
            batch.end(BatchOutcome::Failed(error), outcomes);
        }
    }

    /// When something is to be done if nothing happens before.
    pub(super) fn wake_at_ns(&self, now_ns: u64) -> u64 {
        let front_ns = self.batches.front().map(|batch| batch.deadline_ns);
        let mut wake_at_ns = front_ns.or(self.open.as_ref().map(|open| open.deadline_ns)).unwrap_or(u64::MAX);
        let linger_ns = self.open.as_ref().map(|open| open.linger_until_ns);
        for at_ns in [linger_ns, Some(self.back_off.not_before_ns())].into_iter().flatten() {
            if at_ns > now_ns {
                wake_at_ns = wake_at_ns.min(at_ns);
            }
        }
        wake_at_ns
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.batches.is_empty()
    }

    pub(super) fn in_flight_count(&self) -> usize {
        self.batches.iter().filter(|batch| batch.progress != Progress::Ended && batch.is_in_doubt()).count()
    }
}

/// What is said of a batch whose time is over.
fn late(batch: &Batch) -> SendError {
    match &batch.refusal {
        _ if batch.is_in_doubt() => unknown("no answer came within the delivery timeout"),
        Some(refusal) => SendError::Refused(refusal.clone()),
        None => SendError::TimedOut,
    }
}
