//! A batch on its way: its bytes, its stamp, how far it has come, and the parts that it is sent in when some of its
//! records turn out to be stored already.

use bytes::Bytes;
use florin_engine::format::batch::{self, BatchBuilder, Header, Record, RecordWalk};
use florin_engine::format::control::KeyRule;
use florin_engine::key::{KeyVerdict, is_same_payment};
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_engine::model::{ProducerEpoch, ProducerId};

use super::lane::Open;
use super::outcome::{Outcomes, StoredRecord};
use super::{BatchOutcome, stamp};
use crate::client::SendError;
use crate::protocol::ErrorResponse;

/// Why what a batch has can be read.
const BUILT_HERE: &str = "the batch was built here";

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
    pub(super) record_count: u32,
    pub(super) deadline_ns: u64,
    pub(super) cost_bytes: usize,
    content: Content,
    /// Which records of the batch of this number it has, if not all.
    part: Option<Box<[u32]>>,
}

impl Batch {
    pub(super) fn of(open: Open) -> Self {
        Self {
            number: open.number,
            progress: Progress::Waiting,
            maybe_stored: false,
            base_sequence: None,
            refusal: None,
            record_count: open.record_count(),
            deadline_ns: open.deadline_ns,
            cost_bytes: open.cost_bytes,
            content: Content::Records(open.builder),
            part: None,
        }
    }

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

    pub(super) fn stamp(&mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: u32, transactional: bool) {
        self.content = match std::mem::replace(&mut self.content, Content::Gone) {
            Content::Records(mut builder) => {
                builder.stamp(id, epoch, base_sequence).transactional(transactional);
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
    pub(super) fn end(&mut self, outcome: BatchOutcome, outcomes: &mut Outcomes) {
        assert_ne!(self.progress, Progress::Ended, "batch {} has two outcomes", self.number);
        self.progress = Progress::Ended;
        self.content = Content::Gone;
        outcomes.end(self.number, self.part.as_deref(), outcome);
    }

    /// Ends the records that are stored already, or never can be, and gives the others: first those whose keys are new,
    /// then those that come under the key of one before, each in its order. They take this batch's place. A record that
    /// is the same payment as the one before is in no part: it ends as that one does.
    pub(super) fn divide(
        &mut self,
        partition: u32,
        verdicts: &[KeyVerdict],
        rule: &KeyRule,
        outcomes: &mut Outcomes,
    ) -> Vec<Self> {
        assert_eq!(verdicts.len(), self.record_count as usize, "one verdict for each record");
        let bytes = self.whole();
        let sent: Vec<Record<'_>> = RecordWalk::new(&bytes).and_then(Iterator::collect).expect(BUILT_HERE);
        let records = match self.part.take() {
            Some(part) => part,
            None => {
                outcomes.part(self.number, self.record_count);
                (0..self.record_count).collect()
            }
        };
        let (mut new, mut repeated) = (Vec::new(), Vec::new());
        for (index, verdict) in verdicts.iter().enumerate() {
            let outcome = match *verdict {
                KeyVerdict::New => {
                    new.push(index);
                    continue;
                }
                KeyVerdict::Repeated { first } => {
                    match first as usize {
                        first if first < index && is_same(&sent[first], &sent[index], rule) => {
                            outcomes.follow(self.number, records[index], records[first]);
                        }
                        _ => repeated.push(index),
                    }
                    continue;
                }
                KeyVerdict::Duplicate { offset, append_time } => {
                    Ok(StoredRecord { offset, append_time, duplicate: true })
                }
                KeyVerdict::Conflict { offset, append_time } => {
                    Err(SendError::KeyConflict { partition, offset, append_time })
                }
            };
            outcomes.end_record(self.number, records[index], outcome);
        }
        self.progress = Progress::Ended;
        self.content = Content::Gone;
        let base_timestamp_ms = batch::validate(&bytes, BATCH_BYTES_MAX).expect(BUILT_HERE).base_timestamp_ms;
        let parts = [new, repeated].into_iter().filter(|part| !part.is_empty());
        parts.map(|part| self.part_of(base_timestamp_ms, &sent, &part, &records)).collect()
    }

    /// The records of these indices, as a batch of its own.
    fn part_of(&self, base_timestamp_ms: i64, sent: &[Record<'_>], indices: &[usize], records: &[u32]) -> Self {
        let mut builder = BatchBuilder::for_part(base_timestamp_ms);
        for record in indices.iter().map(|index| &sent[*index]) {
            let headers: Result<Vec<Header<'_>>, _> = record.headers.clone().collect();
            let timestamp_ms = base_timestamp_ms + record.timestamp_delta_ms;
            builder
                .push(timestamp_ms, record.key, record.value, &headers.expect(BUILT_HERE))
                .expect("a part with the same base timestamp is no larger than the whole");
        }
        Self {
            number: self.number,
            progress: Progress::Waiting,
            maybe_stored: self.maybe_stored,
            base_sequence: None,
            refusal: None,
            record_count: builder.record_count(),
            deadline_ns: self.deadline_ns,
            cost_bytes: 0,
            content: Content::Records(builder),
            part: Some(indices.iter().map(|index| records[*index]).collect()),
        }
    }
}

fn is_same(one: &Record<'_>, other: &Record<'_>, rule: &KeyRule) -> bool {
    is_same_payment(one, other, rule).expect("a record without a key is in no batch")
}
