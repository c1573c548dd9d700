//! What becomes of a request once everything is known of its keys.

use super::found::Looked;
use super::{Asks, Found, Waiting};
use crate::format::batch::{BatchInfo, Compression};
use crate::format::control::{Control, Entry};
use crate::journal::append::Purpose;
use crate::key::{BatchVerdict, Known, judge};
use crate::key_run::look_up::KeyPiece;
use crate::limits::KEYS_DERIVED_AT_ONCE_MAX;
use crate::marks::{self, Mark};
use crate::model::{Now, Offset, PartitionId, Realtime, Sequence};
use crate::producer::{Admission, ProducerError};
use crate::shard::request::{KeyReceipt, Reply};
use crate::shard::{Refusal, Shard};

/// What comes next for somebody who waits.
pub(super) enum Step {
    /// This answer, once the block is durable.
    Answer(Option<Sequence>, Box<Reply>),
    /// Nothing: it was placed, and is answered when its block is durable.
    Placed,
    /// Its keys must be found.
    Derive,
    /// This must be read; nothing: others have their turn first.
    Read(Vec<KeyPiece>),
}

impl From<Refusal> for Step {
    fn from(refusal: Refusal) -> Self {
        Self::Answer(None, Box::new(Reply::Refused(refusal)))
    }
}

impl Shard {
    /// Goes on with a request. `None`: it was answered, or is when its block is durable. Otherwise it says which job it
    /// waits for.
    pub(super) fn step(&mut self, partition: PartitionId, waiting: &mut Waiting, now: Now) -> Option<Step> {
        match self.next_step(partition, waiting, now) {
            Ok(Step::Answer(depends_on, reply)) | Err(Step::Answer(depends_on, reply)) => {
                self.answer_after(waiting.id, depends_on, *reply);
                None
            }
            Ok(Step::Placed) | Err(Step::Placed) => None,
            Ok(job) | Err(job) => Some(job),
        }
    }

    fn next_step(&mut self, partition: PartitionId, waiting: &mut Waiting, now: Now) -> Result<Step, Step> {
        let is_open = self.owned.ahead().topic(partition.topic).is_some();
        let Some(state) = self.partitions.get(&partition).filter(|_| is_open) else {
            return Err(self.unknown_partition(partition).into());
        };
        let Waiting { id, asks, found } = waiting;
        let Asks::Capture { bytes, info } = asks else {
            self.look(partition, found, now)?;
            let known = found.all()[0];
            let receipt = known.map(|Known { offset, append_time, .. }| KeyReceipt { offset, append_time });
            return Ok(Step::Answer(self.known_with(partition, &[known]), Box::new(Reply::Key { partition, receipt })));
        };
        let info = *info;
        let admission = state.admit(&info);
        if let Some((depends_on, reply)) = Self::answer_of_producer(&admission) {
            return Ok(Step::Answer(depends_on, Box::new(reply)));
        }
        if found.records.is_none() {
            if info.compression != Compression::None || info.record_count > KEYS_DERIVED_AT_ONCE_MAX {
                return Err(Step::Derive);
            }
            let keying = state.keys().expect("its topic has keys").keying();
            *found = Found::of(keying.keys_of(bytes, &info).map_err(Refusal::Keys)?);
        }
        self.look(partition, found, now)?;
        let (records, known) = (found.records.take().expect("just found"), found.all());
        let depends_on = self.known_with(partition, &known);
        match (judge(&records, &known), admission) {
            (BatchVerdict::New, Admission::New) => {
                let bytes = std::mem::take(bytes);
                self.place(*id, partition, bytes, &info, &records, now);
                Ok(Step::Placed)
            }
            (BatchVerdict::Mixed(verdicts), Admission::New) => {
                marks::hit(Mark::KeysMixed);
                let refusal = Refusal::KeysKnown { partition, verdicts };
                Ok(Step::Answer(depends_on, Box::new(Reply::Refused(refusal))))
            }
            (BatchVerdict::Duplicate(receipts), admission) => {
                marks::hit(Mark::KeysDuplicate);
                let noted = match admission {
                    Admission::New => self.note_known(partition, &info, now)?,
                    Admission::Known(noted) => Some(noted),
                    Admission::Duplicate(_) | Admission::Refused(_) => unreachable!("it was answered"),
                };
                Ok(Step::Answer(depends_on.max(noted), Box::new(known_reply(&receipts))))
            }
            // It was answered once, and its keys have expired since.
            (BatchVerdict::New | BatchVerdict::Mixed(_), _) => Err(beyond_window(&info).into()),
        }
    }

    /// Looks for what is not known yet of the keys.
    fn look(&self, partition: PartitionId, found: &mut Found, now: Now) -> Result<(), Step> {
        let keys = self.partitions[&partition].keys().expect("its topic has keys");
        let looked = found.look(keys, self.keys_expired_before(keys, now), &self.keyed.pieces);
        match looked.map_err(|why| Refusal::KeysUnanswerable { partition, why })? {
            Looked::All => Ok(()),
            Looked::Needs(pieces) => Err(Step::Read(pieces)),
            Looked::GoesOn => Err(Step::Read(Vec::new())),
        }
    }

    /// The block without which nobody may hear what is known of these keys.
    fn known_with(&self, partition: PartitionId, known: &[Option<Known>]) -> Option<Sequence> {
        let state = &self.partitions[&partition];
        let latest = known.iter().flatten().map(|known| known.offset).max()?;
        (latest >= state.durable_offset()).then(|| state.sequence_at(latest).expect("it is in memory"))
    }

    /// Notes that a producer's batch was answered by its keys, so that its next one is the next. The block that says so.
    fn note_known(&mut self, partition: PartitionId, info: &BatchInfo, now: Now) -> Result<Option<Sequence>, Refusal> {
        let Some(stamp) = info.producer else { return Ok(None) };
        let is_new_producer = self.has_room_for_producer(partition, info)?;
        let append_time = self.partitions[&partition].next_slot(now.realtime).append_time;
        let entry = Entry::Control(Control::BatchKnown { partition, append_time, stamp, crc: info.crc });
        let appended = self.journal.append(entry, Purpose::Capture).map_err(|error| self.append_refusal(error))?;
        self.producer_count += usize::from(is_new_producer);
        let state = self.partitions.get_mut(&partition).expect("it was found before");
        state.note_known(&stamp, info.crc, append_time, appended.sequence);
        Ok(Some(appended.sequence))
    }
}

/// The answer to a batch whose records are all stored. Those that were stored with one batch, in this order, have one
/// receipt, as that batch had.
fn known_reply(receipts: &[(Offset, Realtime)]) -> Reply {
    let (base_offset, append_time) = receipts[0];
    let is_one_batch = receipts.iter().zip(0..).all(|(receipt, at)| *receipt == (base_offset.plus(at), append_time));
    if is_one_batch {
        return Reply::Captured { base_offset, append_time, duplicate: true };
    }
    let receipt =
        |(offset, append_time): &(Offset, Realtime)| KeyReceipt { offset: *offset, append_time: *append_time };
    Reply::Known(receipts.iter().map(receipt).collect())
}

/// The keys that answered the batch once have expired.
pub(in crate::shard) fn beyond_window(info: &BatchInfo) -> Refusal {
    let stamp = info.producer.expect("only a producer's batch is noted");
    Refusal::Producer(ProducerError::DuplicateBeyondWindow {
        id: stamp.id,
        base_sequence: stamp.base_sequence,
        oldest_sequence: stamp.next_sequence(),
        depends_on: Sequence(0),
    })
}
