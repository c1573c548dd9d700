//! A producer whose requests and answers are in the test's hands.

use std::collections::VecDeque;

use bytes::Bytes;
use florin_engine::format::batch::{self, BatchInfo, RecordWalk};
use florin_engine::model::{Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, TopicId};

use crate::client::core::producer::{
    AppendError, Appended, Attempt, BatchOutcome, Outlet, ProducerCore, ProducerRules,
};
use crate::client::{Record, SendError};
use crate::protocol::{Code, ErrorResponse, Response, TopicDescription};

pub(super) const SECOND_NS: u64 = 1_000_000_000;

/// What the producer sent, in order.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) is_closed: bool,
    pub(super) batches: VecDeque<(u16, PartitionId, Bytes, Attempt)>,
    pub(super) identities: VecDeque<u16>,
}

impl Outlet for Sent {
    fn has_room(&mut self, _shard: u16) -> bool {
        !self.is_closed
    }

    fn produce(&mut self, shard: u16, partition: PartitionId, batch: &Bytes, attempt: Attempt) {
        self.batches.push_back((shard, partition, batch.clone(), attempt));
    }

    fn init_producer(&mut self, shard: u16) {
        self.identities.push_back(shard);
    }
}

pub(super) struct Rig {
    pub(super) core: ProducerCore,
    pub(super) sent: Sent,
    pub(super) now_ns: u64,
}

pub(super) fn rules() -> ProducerRules {
    ProducerRules {
        linger_ns: 0,
        batch_bytes_max: 1024,
        server_batch_bytes_max: 4096,
        batch_records_max: 1,
        batches_in_flight_max: 5,
        buffer_bytes_max: 1 << 20,
        delivery_ns: 60 * SECOND_NS,
        idempotent: true,
        transactional: false,
    }
}

pub(super) fn topic(placement: Vec<u16>) -> TopicDescription {
    TopicDescription { id: TopicId(7), name: "captures".to_owned(), revision: 1, placement, keys: None }
}

pub(super) fn record(partition: u32, value: &str) -> Record {
    Record { partition: Some(partition), ..Record::new(value.to_owned()) }
}

pub(super) fn error(code: Code) -> Response {
    Response::Error(ErrorResponse::new(code, "so the test says"))
}

pub(super) fn produced(offset: u64) -> Response {
    Response::Produced { base_offset: Offset(offset), append_time: Realtime(1), duplicate: false }
}

pub(super) fn stored(offset: u64) -> BatchOutcome {
    BatchOutcome::Stored { base_offset: Offset(offset), append_time: Realtime(1), duplicate: false }
}

pub(super) fn values(batch: &[u8]) -> Vec<String> {
    let records = RecordWalk::new(batch).unwrap().map(|record| record.unwrap().value.unwrap());
    records.map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

pub(super) fn info(batch: &[u8]) -> BatchInfo {
    batch::validate(batch, 1 << 20).unwrap()
}

/// Epoch and first sequence of a batch.
pub(super) fn stamp(batch: &[u8]) -> (u16, u32) {
    let stamp = info(batch).producer.unwrap();
    (stamp.epoch.0, stamp.base_sequence)
}

pub(super) fn stamps(sent: &[(Bytes, Attempt)]) -> Vec<(u16, u32)> {
    sent.iter().map(|(bytes, _)| stamp(bytes)).collect()
}

pub(super) fn is_unknown(outcome: &BatchOutcome) -> bool {
    matches!(outcome, BatchOutcome::Failed(SendError::OutcomeUnknown { .. }))
}

pub(super) fn refused_with(outcome: &BatchOutcome) -> Option<Code> {
    match outcome {
        BatchOutcome::Failed(SendError::Refused(error)) => Some(error.code),
        _ => None,
    }
}

impl Rig {
    /// With one partition on shard 0, and an identity.
    pub(super) fn new(rules: ProducerRules) -> Self {
        let mut rig = Self::without_identity(rules, vec![0]);
        rig.core.on_identity(ProducerId(70), ProducerEpoch(0));
        rig
    }

    pub(super) fn without_identity(rules: ProducerRules, placement: Vec<u16>) -> Self {
        Self { core: ProducerCore::new(topic(placement), rules), sent: Sent::default(), now_ns: SECOND_NS }
    }

    pub(super) fn try_send(&mut self, record: &Record) -> Result<Appended, AppendError> {
        self.core.append(record, 1_700_000_000_000, self.now_ns, self.now_ns)
    }

    pub(super) fn send(&mut self, partition: u32, value: &str) -> Appended {
        self.try_send(&record(partition, value)).unwrap()
    }

    pub(super) fn pump(&mut self) {
        self.core.tick(self.now_ns);
        self.core.pump(self.now_ns, &mut self.sent);
    }

    pub(super) fn wait(&mut self, nanoseconds: u64) {
        self.now_ns += nanoseconds;
        self.pump();
    }

    /// What was sent since the last call.
    pub(super) fn take(&mut self) -> Vec<(Bytes, Attempt)> {
        self.sent.batches.drain(..).map(|(_, _, bytes, attempt)| (bytes, attempt)).collect()
    }

    /// Sends a record and gives what goes out for it.
    pub(super) fn send_all(&mut self, values: &[&str]) -> Vec<(Bytes, Attempt)> {
        for value in values {
            self.send(0, value);
        }
        self.pump();
        self.take()
    }

    pub(super) fn answer(&mut self, attempt: Attempt, response: Response) {
        self.core.on_answer(attempt, response, self.now_ns);
        self.pump();
    }

    pub(super) fn lose(&mut self, sent: &[(Bytes, Attempt)]) {
        for (_, attempt) in sent {
            self.core.on_lost(*attempt, "the test broke the connection", self.now_ns);
        }
        self.pump();
    }

    pub(super) fn outcomes(&mut self) -> Vec<(u64, BatchOutcome)> {
        self.core.take_outcomes()
    }
}
