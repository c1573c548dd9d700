//! Captures of topics with idempotency keys, and look-ups of keys: what is known of each key is found first, in memory or
//! with reads of key runs. Whoever has to wait for that holds up its own partition only: those behind it wait in their
//! order, other partitions go on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};

use super::request::{DeriveKeys, Effect, ReadKeys};
use super::{Refusal, Shard};
use crate::format::batch::{BatchInfo, Compression};
use crate::key::{KeyFault, RecordKey};
use crate::key_run::look_up::{KeyFound, KeyPiece};
use crate::limits::{
    KEY_FORGET_COUNT, KEY_JOBS_MAX, KEY_RECENT_COUNT_MAX, KEYED_WAITING_BYTES_MAX, KEYED_WAITING_COUNT_MAX,
};
use crate::marks::{self, Mark};
use crate::model::{Now, PartitionId, Realtime, RequestId, Sequence};
use crate::partition::Partition;
use crate::partition::keys::{KeyPieces, PartitionKeys};

mod admit;
mod found;
pub(super) mod merging;

use admit::Step;
pub(super) use admit::beyond_window;
use found::Found;
use merging::KeyMerging;

/// Who waits to hear what is known of keys.
#[derive(Debug)]
struct Waiting {
    id: RequestId,
    asks: Asks,
    found: Found,
}

/// What for.
#[derive(Debug)]
enum Asks {
    /// To append this batch.
    Capture { bytes: BytesMut, info: BatchInfo },
    /// To be told.
    LookUp,
}

/// What a shard knows beside its partitions of the keys in them.
#[derive(Debug)]
pub(super) struct KeyedRequests {
    pieces: KeyPieces,
    pieces_bytes_max: usize,
    /// Who waits for a partition, in the order in which they came; of the first a job may be under way.
    queues: BTreeMap<PartitionId, VecDeque<Waiting>>,
    waiting_count: usize,
    waiting_bytes: usize,
    job_count: usize,
    /// Partitions whose first waits for a job, in the order of their turns.
    turns: VecDeque<PartitionId>,
    /// Keys in memory, of all partitions.
    recent_count: usize,
    recent_count_max: usize,
    /// Partitions with keys in memory that are at rest.
    to_forget: BTreeSet<PartitionId>,
    pub(super) merging: KeyMerging,
    read_count: u64,
}

impl KeyedRequests {
    pub(super) fn new<'a>(partitions: impl Iterator<Item = &'a Partition>, pieces_bytes_max: u64) -> Self {
        let recent = partitions.filter_map(Partition::keys).map(PartitionKeys::recent_count);
        Self {
            pieces: KeyPieces::default(),
            pieces_bytes_max: usize::try_from(pieces_bytes_max).unwrap_or(usize::MAX),
            queues: BTreeMap::new(),
            waiting_count: 0,
            waiting_bytes: 0,
            job_count: 0,
            turns: VecDeque::new(),
            recent_count: recent.sum(),
            recent_count_max: KEY_RECENT_COUNT_MAX,
            to_forget: BTreeSet::new(),
            merging: KeyMerging::default(),
            read_count: 0,
        }
    }

    /// Requests that wait.
    pub(super) fn waiting_count(&self) -> usize {
        self.waiting_count
    }

    /// Whether so many more keys may be in memory.
    pub(super) fn has_room_for_keys(&self, count: usize) -> bool {
        count == 0 || self.recent_count + count <= self.recent_count_max
    }

    /// So many more are.
    pub(super) fn note_recent(&mut self, count: usize) {
        self.recent_count += count;
    }

    /// Keys in memory.
    pub(super) fn recent_count(&self) -> usize {
        self.recent_count
    }

    /// Bytes of what was read of key runs, in memory.
    pub(super) fn pieces_bytes(&self) -> usize {
        self.pieces.bytes()
    }

    /// Reads made so far.
    pub(super) fn read_count(&self) -> u64 {
        self.read_count
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting_count == 0 && self.job_count == 0 && self.merging.is_idle()
    }

    /// Whether so many keys are in memory that they should be taken to rest.
    pub(super) fn wants_rest(&self) -> bool {
        self.recent_count > self.recent_count_max / 2
    }

    /// Allows so many keys in memory.
    #[cfg(test)]
    pub(super) fn limit_recent(&mut self, count: usize) {
        self.recent_count_max = count;
    }

    /// Allows so many bytes of what was read.
    #[cfg(test)]
    pub(super) fn limit_pieces(&mut self, bytes: usize) {
        self.pieces_bytes_max = bytes;
    }

    /// The keys of this partition below its rest offset are at rest.
    pub(super) fn has_rested(&mut self, partition: PartitionId) {
        self.to_forget.insert(partition);
    }

    /// This partition is gone.
    pub(super) fn forget_partition(&mut self, partition: &Partition) {
        self.recent_count -= partition.keys().map_or(0, PartitionKeys::recent_count);
        self.to_forget.remove(&partition.id());
    }

    /// These files are gone.
    pub(super) fn forget_segments(&mut self, segments: &[crate::model::SegmentId]) {
        segments.iter().for_each(|segment| self.pieces.forget(*segment));
    }

    fn push(&mut self, partition: PartitionId, waiting: Waiting) {
        self.waiting_count += 1;
        self.waiting_bytes += waiting.bytes();
        self.queues.entry(partition).or_default().push_back(waiting);
    }

    /// Takes the first who waits for a partition.
    fn pop(&mut self, partition: PartitionId) -> Option<Waiting> {
        let queue = self.queues.get_mut(&partition)?;
        let Some(first) = queue.pop_front() else {
            self.queues.remove(&partition);
            return None;
        };
        self.waiting_count -= 1;
        self.waiting_bytes -= first.bytes();
        Some(first)
    }

    /// It has to wait on.
    fn push_back_first(&mut self, partition: PartitionId, first: Waiting) {
        self.waiting_count += 1;
        self.waiting_bytes += first.bytes();
        self.queues.entry(partition).or_default().push_front(first);
    }

    fn has_room_for(&self, partition: PartitionId, bytes: usize) -> bool {
        let count = self.queues.get(&partition).map_or(0, VecDeque::len);
        count < KEYED_WAITING_COUNT_MAX && self.waiting_bytes.saturating_add(bytes) <= KEYED_WAITING_BYTES_MAX
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        match &self.asks {
            Asks::Capture { bytes, .. } => bytes.len(),
            Asks::LookUp => 0,
        }
    }
}

impl Shard {
    /// A batch for a partition whose records have keys.
    pub(super) fn capture_keyed(
        &mut self,
        id: RequestId,
        partition: PartitionId,
        bytes: BytesMut,
        info: BatchInfo,
        now: Now,
    ) {
        let waiting = Waiting { id, asks: Asks::Capture { bytes, info }, found: Found::default() };
        self.ask_keys(partition, waiting, now);
    }

    /// What is known of one key.
    pub(super) fn look_up_key(&mut self, id: RequestId, partition: PartitionId, key: &[u8], now: Now) {
        let Some(state) = self.visible_partition(partition) else {
            let refusal = self.unknown_partition(partition);
            return self.refuse(id, refusal);
        };
        let Some(keys) = state.keys() else { return self.refuse(id, Refusal::NoKeys(partition.topic)) };
        match keys.keying().key(key) {
            Ok(key) => {
                let found = Found::of(vec![RecordKey { key, body: Default::default() }]);
                self.ask_keys(partition, Waiting { id, asks: Asks::LookUp, found }, now);
            }
            Err(belongs) => self.refuse(id, Refusal::Keys(KeyFault::Elsewhere { index: 0, belongs })),
        }
    }

    fn ask_keys(&mut self, partition: PartitionId, mut waiting: Waiting, now: Now) {
        if !self.keyed.queues.contains_key(&partition) && self.step(partition, &mut waiting, now).is_none() {
            return;
        }
        if self.failed.is_some() {
            return self.refuse(waiting.id, Refusal::ShardUnavailable(self.id));
        }
        if !self.keyed.has_room_for(partition, waiting.bytes()) {
            return self.refuse(waiting.id, Refusal::Busy(self.id));
        }
        let is_first = !self.keyed.queues.contains_key(&partition);
        self.keyed.push(partition, waiting);
        if is_first {
            marks::hit(Mark::KeysWaited);
            self.keyed.turns.push_back(partition);
            self.take_turns(now);
        }
    }

    /// Goes on with partitions whose turn it is, as long as jobs may begin.
    fn take_turns(&mut self, now: Now) {
        while self.keyed.job_count < KEY_JOBS_MAX
            && let Some(partition) = self.keyed.turns.pop_front()
        {
            self.serve_keyed(partition, now);
        }
    }

    /// Goes on with those who wait for a partition, up to the first who needs a job.
    fn serve_keyed(&mut self, partition: PartitionId, now: Now) {
        let mut is_first = true;
        while let Some(mut waiting) = self.keyed.pop(partition) {
            let Some(job) = self.step(partition, &mut waiting, now) else {
                is_first = false;
                continue;
            };
            // Whoever has had a turn leaves the next one to others.
            let may_begin = self.keyed.job_count < KEY_JOBS_MAX && (is_first || self.keyed.turns.is_empty());
            if may_begin {
                self.begin_key_job(partition, &mut waiting, job);
            } else {
                self.keyed.turns.push_back(partition);
            }
            return self.keyed.push_back_first(partition, waiting);
        }
    }

    fn begin_key_job(&mut self, partition: PartitionId, waiting: &mut Waiting, job: Step) {
        self.keyed.job_count += 1;
        match (job, &mut waiting.asks) {
            (Step::Derive, Asks::Capture { bytes, info }) => {
                if info.compression != Compression::None {
                    marks::hit(Mark::KeysDecompressed);
                }
                let state = self.partitions[&partition].keys().expect("it was asked");
                let batch = std::mem::take(bytes).freeze();
                let derive = DeriveKeys { partition, keying: state.keying().clone(), batch, info: *info };
                self.effects.push(Effect::DeriveKeys(Box::new(derive)));
            }
            (Step::Read(pieces), _) => {
                if !pieces.is_empty() {
                    marks::hit(Mark::KeysRead);
                }
                self.keyed.read_count += pieces.len() as u64;
                pieces.iter().for_each(|piece| self.segments.table.pin(piece.segment()));
                self.effects.push(Effect::ReadKeys(ReadKeys { partition, pieces }));
            }
            (Step::Derive | Step::Answer(..) | Step::Placed, _) => unreachable!("only a batch has keys to be found"),
        }
    }

    /// The keys of a compressed batch were found.
    pub(super) fn keys_derived(
        &mut self,
        partition: PartitionId,
        batch: Bytes,
        result: Result<Vec<RecordKey>, KeyFault>,
        now: Now,
    ) {
        self.keyed.job_count -= 1;
        // Nobody waits any more if the shard ends.
        if let Some(mut waiting) = self.keyed.pop(partition) {
            if let Asks::Capture { bytes, .. } = &mut waiting.asks {
                *bytes = batch.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
            }
            match result {
                Ok(records) => {
                    waiting.found = Found::of(records);
                    self.keyed.push_back_first(partition, waiting);
                }
                Err(fault) => self.refuse(waiting.id, Refusal::Keys(fault)),
            }
            self.serve_keyed(partition, now);
        }
        self.take_turns(now);
    }

    /// Parts of key runs were read.
    pub(super) fn keys_read(&mut self, partition: PartitionId, found: Vec<(KeyPiece, KeyFound)>, now: Now) {
        self.keyed.job_count -= 1;
        let mut unreadable = Vec::new();
        let mut first = self.keyed.pop(partition);
        for (piece, found) in found {
            self.segments.table.unpin(piece.segment());
            if found.is_unreadable() {
                unreadable.push(piece);
            }
            self.report_key_damage(partition, piece, &found);
            let kept = self.keyed.pieces.keep(piece, found);
            if let Some(first) = &mut first {
                first.found.hold(kept);
            }
        }
        if let Some(first) = first {
            self.keyed.push_back_first(partition, first);
            self.serve_keyed(partition, now);
        }
        // Whoever asks next has the disk asked again.
        unreadable.into_iter().for_each(|piece| self.keyed.pieces.forget_unreadable(piece));
        self.keyed.pieces.shrink(self.keyed.pieces_bytes_max);
        self.remove_unneeded_segments();
        self.take_turns(now);
    }

    fn report_key_damage(&mut self, partition: PartitionId, piece: KeyPiece, found: &KeyFound) {
        if let Some(what) = found.problem() {
            marks::hit(Mark::KeysDamaged);
            let (segment, position) = (piece.segment(), piece.position());
            self.report(super::Report::KeysDamaged { partition, segment, position, what });
        }
    }

    /// Nobody waits any longer: the shard ends, or takes nothing new.
    pub(super) fn end_keyed_waits(&mut self, refusal: &Refusal) {
        self.keyed.turns.clear();
        (self.keyed.waiting_count, self.keyed.waiting_bytes) = (0, 0);
        for waiting in std::mem::take(&mut self.keyed.queues).into_values().flatten() {
            self.refuse(waiting.id, refusal.clone());
        }
    }

    /// Lets go of some keys in memory that are at rest.
    pub(super) fn forget_keys(&mut self) {
        let mut left = KEY_FORGET_COUNT;
        while left > 0
            && let Some(id) = self.keyed.to_forget.first().copied()
        {
            let keys = self.partitions.get_mut(&id).and_then(Partition::keys_mut);
            let count = keys.map_or(0, |keys| keys.forget_at_rest(left));
            self.keyed.recent_count -= count;
            if count < left {
                self.keyed.to_forget.remove(&id);
            }
            left -= count;
        }
    }

    /// Up to where everything is taken to rest because of the keys in memory.
    pub(super) fn keys_up_to(&self) -> Option<Sequence> {
        self.keyed.wants_rest().then(|| self.journal.marks().durable())
    }

    /// What was appended to the partition before this has expired; none: nothing expires now.
    fn keys_expired_before(&self, keys: &PartitionKeys, now: Now) -> Option<Realtime> {
        let is_trusted = !self.clock.is_suspended() && self.has_settled(now);
        is_trusted.then(|| Realtime(now.realtime.0.saturating_sub(keys.keying().rule().window_ns())))
    }
}
