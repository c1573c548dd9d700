//! The producer against a server that follows the engine's rules, on a network that does its worst.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use florin_engine::format::batch;
use florin_engine::model::{Offset, ProducerEpoch, ProducerId, Realtime, Sequence};
use florin_engine::producer::{Admission, ProducerError, ProducerTable, Receipt};
use proptest::collection::vec;
use proptest::prelude::*;

use super::rig::{Rig, SECOND_NS, error, record, rules, values};
use crate::client::SendError;
use crate::client::core::producer::{Attempt, BatchOutcome, ProducerRules};
use crate::protocol::{Code, Response};

const PARTITIONS: u32 = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Send {
        partition: u32,
    },
    Wait {
        milliseconds: u64,
    },
    /// A server looks at the next request of its connection.
    Serve {
        partition: u32,
    },
    /// It answers without storing.
    Shed {
        partition: u32,
    },
    /// Its write fails, or seems to.
    Doubt {
        partition: u32,
        stores: bool,
    },
    /// An answer arrives; which of those under way is free.
    Arrive {
        choice: usize,
    },
    /// A connection breaks. What the server had not read of it, it may read later or never.
    Break {
        partition: u32,
        arrives_later: bool,
    },
    /// The server reads on of a broken connection.
    ServeLate {
        choice: usize,
    },
    /// A producer that was idle for long is forgotten.
    Forget {
        partition: u32,
    },
    Open {
        is_open: bool,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    let partition = 0..PARTITIONS;
    prop_oneof![
        8 => partition.clone().prop_map(|partition| Step::Send { partition }),
        3 => (1_u64..2_000).prop_map(|milliseconds| Step::Wait { milliseconds }),
        1 => (2_000_u64..9_000).prop_map(|milliseconds| Step::Wait { milliseconds }),
        8 => partition.clone().prop_map(|partition| Step::Serve { partition }),
        2 => partition.clone().prop_map(|partition| Step::Shed { partition }),
        1 => (partition.clone(), any::<bool>()).prop_map(|(partition, stores)| Step::Doubt { partition, stores }),
        10 => (0_usize..64).prop_map(|choice| Step::Arrive { choice }),
        2 => (partition.clone(), any::<bool>())
            .prop_map(|(partition, arrives_later)| Step::Break { partition, arrives_later }),
        2 => (0_usize..64).prop_map(|choice| Step::ServeLate { choice }),
        1 => partition.prop_map(|partition| Step::Forget { partition }),
        1 => any::<bool>().prop_map(|is_open| Step::Open { is_open }),
    ]
}

/// One partition as its server holds it. Each has a connection of its own.
#[derive(Default)]
struct Partition {
    table: ProducerTable,
    log: Vec<String>,
    /// Sent and not looked at.
    arriving: VecDeque<(Bytes, Attempt)>,
}

struct World {
    rig: Rig,
    partitions: Vec<Partition>,
    answers: Vec<(Attempt, Response)>,
    /// Requests of broken connections, which may still arrive, in order per connection.
    late: Vec<(u32, VecDeque<Bytes>)>,
    record_count: usize,
    id_count: u64,
    /// The partition and the values of each batch.
    batches: BTreeMap<u64, (u32, Vec<String>)>,
    outcomes: BTreeMap<u64, BatchOutcome>,
}

impl Partition {
    fn store(&mut self, bytes: &[u8]) -> Response {
        let info = batch::validate(bytes, 1 << 20).unwrap();
        let base = self.log.len() as u64;
        let receipt = Receipt { base_offset: Offset(base), append_time: Realtime(base), sequence: Sequence(base) };
        if let Some(stamp) = &info.producer {
            match self.table.check(stamp, info.crc) {
                Admission::New => self.table.apply(stamp, info.crc, receipt),
                Admission::Duplicate(Receipt { base_offset, append_time, .. }) => {
                    return Response::Produced { base_offset, append_time, duplicate: true };
                }
                Admission::Known(_) => unreachable!("topics have no keys here"),
                Admission::Refused(refusal) => return error(code(&refusal)),
            }
        }
        self.log.extend(values(bytes));
        Response::Produced { base_offset: receipt.base_offset, append_time: receipt.append_time, duplicate: false }
    }
}

fn code(refusal: &ProducerError) -> Code {
    match refusal {
        ProducerError::UnknownProducer { .. } => Code::UNKNOWN_PRODUCER,
        ProducerError::TableFull { .. } => Code(31),
        ProducerError::Fenced { .. } => Code::FENCED,
        ProducerError::OutOfOrder { .. } => Code::OUT_OF_ORDER,
        ProducerError::SequenceConflict { .. } => Code(34),
        ProducerError::DuplicateBeyondWindow { .. } => Code::DUPLICATE_BEYOND_WINDOW,
    }
}

impl World {
    fn new(rules: ProducerRules) -> Self {
        let placement = (0..u16::try_from(PARTITIONS).unwrap()).collect();
        Self {
            rig: Rig::without_identity(rules, placement),
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            answers: Vec::new(),
            late: Vec::new(),
            record_count: 0,
            id_count: 0,
            batches: BTreeMap::new(),
            outcomes: BTreeMap::new(),
        }
    }

    fn next_request(&mut self, partition: u32) -> Option<(Bytes, Attempt)> {
        self.partitions[partition as usize].arriving.pop_front()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send { partition } => self.send(partition),
            Step::Wait { milliseconds } => self.rig.now_ns += milliseconds * 1_000_000,
            Step::Serve { partition } => {
                if let Some((bytes, attempt)) = self.next_request(partition) {
                    let response = self.partitions[partition as usize].store(&bytes);
                    self.answers.push((attempt, response));
                }
            }
            Step::Shed { partition } => {
                if let Some((_, attempt)) = self.next_request(partition) {
                    self.answers.push((attempt, error(Code::BUSY)));
                }
            }
            Step::Doubt { partition, stores } => {
                if let Some((bytes, attempt)) = self.next_request(partition) {
                    if stores {
                        self.partitions[partition as usize].store(&bytes);
                    }
                    self.answers.push((attempt, error(Code::OUTCOME_UNKNOWN)));
                }
            }
            Step::Arrive { choice } => {
                if !self.answers.is_empty() {
                    let (attempt, response) = self.answers.remove(choice % self.answers.len());
                    self.rig.core.on_answer(attempt, response, self.rig.now_ns);
                }
            }
            Step::Break { partition, arrives_later } => self.break_connection(partition, arrives_later),
            Step::ServeLate { choice } => self.serve_late(choice),
            Step::Forget { partition } => self.forget(partition),
            Step::Open { is_open } => self.rig.sent.is_closed = !is_open,
        }
        self.settle();
    }

    fn send(&mut self, partition: u32) {
        let value = format!("{:06}", self.record_count);
        if let Ok(appended) = self.rig.try_send(&record(partition, &value)) {
            self.record_count += 1;
            let batch = self.batches.entry(appended.batch).or_insert_with(|| (partition, Vec::new()));
            assert_eq!(batch.1.len(), appended.index as usize);
            batch.1.push(value);
        }
    }

    fn break_connection(&mut self, partition: u32, arrives_later: bool) {
        let unread = std::mem::take(&mut self.partitions[partition as usize].arriving);
        let (unheard, others): (Vec<_>, Vec<_>) =
            self.answers.drain(..).partition(|(attempt, _)| attempt.partition == partition);
        self.answers = others;
        let mut lost: Vec<Attempt> = unheard.into_iter().map(|(attempt, _)| attempt).collect();
        lost.extend(unread.iter().map(|(_, attempt)| *attempt));
        if arrives_later {
            self.late.push((partition, unread.into_iter().map(|(bytes, _)| bytes).collect()));
        }
        for attempt in lost {
            self.rig.core.on_lost(attempt, "it broke", self.rig.now_ns);
        }
    }

    fn serve_late(&mut self, choice: usize) {
        if self.late.is_empty() {
            return;
        }
        let index = choice % self.late.len();
        let partition = self.late[index].0 as usize;
        match self.late[index].1.pop_front() {
            Some(bytes) => drop(self.partitions[partition].store(&bytes)),
            None => drop(self.late.remove(index)),
        }
    }

    /// Only producers of which nothing is on its way or waits for an outcome: they are forgotten after days.
    fn forget(&mut self, partition: u32) {
        let is_late = self.late.iter().any(|(late, requests)| *late == partition && !requests.is_empty());
        let waits =
            self.batches.iter().any(|(number, batch)| batch.0 == partition && !self.outcomes.contains_key(number));
        let held = &mut self.partitions[partition as usize];
        if is_late || waits || !held.arriving.is_empty() {
            return;
        }
        let expired: Vec<_> = held.table.expired(Realtime(u64::MAX), 0).collect();
        for (id, epoch) in expired {
            held.table.remove(id, epoch);
        }
    }

    fn settle(&mut self) {
        self.rig.pump();
        while let Some(_shard) = self.rig.sent.identities.pop_front() {
            self.id_count += 1;
            self.rig.core.on_identity(ProducerId(self.id_count), ProducerEpoch(0));
            self.rig.pump();
        }
        for (number, outcome) in self.rig.outcomes() {
            assert!(self.outcomes.insert(number, outcome).is_none(), "batch {number} has two outcomes");
        }
        while let Some((shard, partition, bytes, attempt)) = self.rig.sent.batches.pop_front() {
            assert_eq!(u32::from(shard), partition.index);
            assert!(!self.outcomes.contains_key(&attempt.batch), "batch {} is sent after its outcome", attempt.batch);
            self.partitions[partition.index as usize].arriving.push_back((bytes, attempt));
        }
    }

    /// The network heals, the rest of what was sent arrives, and time passes.
    fn finish(&mut self) {
        self.rig.sent.is_closed = false;
        for _ in 0..100 {
            for partition in 0..PARTITIONS {
                while !self.partitions[partition as usize].arriving.is_empty() {
                    self.step(Step::Serve { partition });
                }
            }
            while !self.answers.is_empty() {
                self.step(Step::Arrive { choice: 0 });
            }
            self.step(Step::Wait { milliseconds: 500 });
        }
        while !self.late.is_empty() {
            self.step(Step::ServeLate { choice: 0 });
        }
    }

    fn judge(&self, is_ordered: bool) {
        let (ended, sent): (Vec<_>, Vec<_>) = (self.outcomes.keys().collect(), self.batches.keys().collect());
        assert_eq!(ended, sent, "every batch has an outcome");
        assert_eq!(self.rig.core.buffered_bytes(), 0);
        for (number, (partition, sent)) in &self.batches {
            let log = &self.partitions[*partition as usize].log;
            for (index, value) in sent.iter().enumerate() {
                let count = log.iter().filter(|stored| *stored == value).count();
                assert!(count <= 1, "record {value} is stored {count} times");
                match &self.outcomes[number] {
                    BatchOutcome::Stored { base_offset, .. } => {
                        let offset = usize::try_from(base_offset.0).unwrap() + index;
                        assert_eq!(log.get(offset), Some(value), "a receipt is right");
                    }
                    BatchOutcome::Failed(SendError::StoredReceiptLost { .. }) => assert_eq!(count, 1),
                    BatchOutcome::Failed(SendError::OutcomeUnknown { .. }) => {}
                    BatchOutcome::Records(_) => panic!("the topic has no keys"),
                    BatchOutcome::Failed(error) => assert_eq!(count, 0, "{error}: but {value} is stored"),
                }
            }
        }
        for partition in self.partitions.iter().filter(|_| is_ordered) {
            assert!(partition.log.is_sorted(), "stored in the order in which they were sent: {:?}", partition.log);
        }
    }
}

fn lossy_rules(idempotent: bool, batch_records_max: u32, batches_in_flight_max: usize) -> ProducerRules {
    let delivery_ns = 20 * SECOND_NS;
    ProducerRules { idempotent, batch_records_max, batches_in_flight_max, delivery_ns, ..rules() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_record_has_one_outcome_that_is_true_and_the_log_is_in_order(
        steps in vec(any_step(), 1..300),
        batch_records_max in 1_u32..4,
        batches_in_flight_max in 1_usize..6,
    ) {
        let mut world = World::new(lossy_rules(true, batch_records_max, batches_in_flight_max));
        steps.into_iter().for_each(|step| world.step(step));
        world.finish();
        world.judge(true);
    }

    #[test]
    fn without_idempotence_nothing_is_stored_twice_and_every_outcome_is_true(
        steps in vec(any_step(), 1..200),
        batches_in_flight_max in 1_usize..6,
    ) {
        let mut world = World::new(lossy_rules(false, 2, batches_in_flight_max));
        steps.into_iter().for_each(|step| world.step(step));
        world.finish();
        world.judge(false);
    }
}
