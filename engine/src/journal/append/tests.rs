use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::format::block::read_head;
use crate::format::control::{Control, EntryWalk};
use crate::format::layout::Geometry;
use crate::format::superblock::{FileUse, RingFile};
use crate::model::{Id128, Lap, PartitionId, Realtime, ShardId, TopicId};

const NAME: JournalName = JournalName { journal_id: Id128([3; 16]), shard: ShardId(2) };

fn geometry(file_count: u16, file_bytes: u64) -> Geometry {
    Geometry { file_count, file_bytes, manifest_bytes: 32 * 1024 }
}

fn capture(bytes: usize) -> Entry {
    let batch = Bytes::from(vec![u8::try_from(bytes % 251).unwrap(); bytes]);
    Entry::Batch {
        partition: PartitionId { topic: TopicId(1), index: 2 },
        append_time: Realtime(3),
        undecided: 0,
        batch,
    }
}

fn control() -> Entry {
    Entry::Control(Control::TopicLive(TopicId(4)))
}

/// A journal with its disk: what was written where, and which superblocks are durable.
struct Rig {
    journal: Journal,
    geometry: Geometry,
    /// Entries of blocks that are not encoded yet.
    expected: BTreeMap<Sequence, Vec<Entry>>,
    in_flight: Vec<Sequence>,
    done: BTreeSet<Sequence>,
    chain: Chain,
    /// Where the next block of each file and lap must begin.
    cursors: BTreeMap<(FileIndex, Lap), u64>,
    superblock: Option<Vec<RingFile>>,
    opened: BTreeSet<(FileIndex, Lap)>,
    freed: BTreeSet<(FileIndex, Lap)>,
}

impl Rig {
    fn new(geometry: Geometry, blocks_in_flight: usize) -> Self {
        let start = JournalStart {
            name: NAME,
            epoch: Epoch(6),
            epoch_first_sequence: Sequence(1),
            last_sequence: Sequence(0),
            last_chain: Chain(0),
            blocks_in_flight,
        };
        let files = vec![RingFile::default(); usize::from(geometry.file_count)];
        Self {
            journal: Journal::new(start, Ring::restore(geometry, &files, None)),
            geometry,
            expected: BTreeMap::new(),
            in_flight: Vec::new(),
            done: BTreeSet::new(),
            chain: Chain(0),
            cursors: BTreeMap::new(),
            superblock: None,
            opened: BTreeSet::new(),
            freed: BTreeSet::new(),
        }
    }

    /// A journal that may write at once.
    fn opened(geometry: Geometry, blocks_in_flight: usize) -> Self {
        let mut rig = Self::new(geometry, blocks_in_flight);
        rig.begin_superblock(false);
        rig.end_superblock();
        rig
    }

    fn append(&mut self, entry: Entry, purpose: Purpose) -> Result<Appended, AppendError> {
        let before = format!("{:?}", self.journal);
        let appended = self.journal.append(entry.clone(), purpose);
        match appended {
            Ok(appended) => self.expected.entry(appended.sequence).or_default().push(entry),
            Err(_) => assert_eq!(format!("{:?}", self.journal), before, "a refused entry changes nothing"),
        }
        appended
    }

    /// Encodes every block that may be written now, and checks it against everything known.
    fn write(&mut self) {
        while let Some(ready) = self.journal.ready_block() {
            assert!(self.in_flight.len() < self.journal.start().blocks_in_flight);
            let mut block = vec![0; ready.bytes];
            let write = self.journal.encode_block(&mut block);
            assert_eq!(write.place, ready.place);
            self.check_place(write.place, block.len() as u64);
            self.check_contents(write.sequence, write.place, &block);
            self.in_flight.push(write.sequence);
        }
    }

    fn check_place(&mut self, place: Place, bytes: u64) {
        let key = (place.file, place.lap);
        assert!(self.opened.contains(&key), "{place:?} is written before a superblock calls it open");
        assert!(place.lap == Lap(1) || self.freed.contains(&(place.file, Lap(place.lap.0 - 1))), "{place:?} not freed");
        assert!(bytes <= self.geometry.block_bytes_max() as u64);
        let cursor = self.cursors.entry(key).or_default();
        assert_eq!(place.position.0, *cursor, "blocks of a file stand back to back");
        *cursor += bytes;
        assert!(*cursor <= self.geometry.file_bytes, "a block reaches beyond its file");
        assert!(!self.cursors.contains_key(&(place.file, place.lap.next())), "a lap that is over is written to");
    }

    fn check_contents(&mut self, sequence: Sequence, place: Place, block: &[u8]) {
        let checked = read_head(block, NAME).expect("a header");
        assert!(checked.body_matches(NAME, block));
        let head = checked.head;
        let durable = self.journal.marks().durable();
        assert_eq!((head.sequence, head.place, head.previous), (sequence, place, self.chain));
        assert_eq!((head.epoch, head.durable_sequence), (Epoch(6), durable));
        self.chain = checked.chain;
        let payload_end = BLOCK_HEADER_BYTES + head.payload_bytes as usize;
        let payload = Bytes::copy_from_slice(&block[BLOCK_HEADER_BYTES..payload_end]);
        let entries: Vec<_> = EntryWalk::new(payload, head.entry_count).map(Result::unwrap).collect();
        assert_eq!(entries, self.expected.remove(&sequence).unwrap_or_default());
        assert!(block[payload_end..].iter().all(|byte| *byte == 0));
    }

    /// Ends one of the writes in flight, and checks that exactly the unbroken run from the start is durable.
    fn end_block(&mut self, which: usize) {
        if self.in_flight.is_empty() {
            return;
        }
        let sequence = self.in_flight.remove(which % self.in_flight.len());
        self.done.insert(sequence);
        let run = (1..).map(Sequence).take_while(|sequence| self.done.contains(sequence)).count() as u64;
        assert_eq!(self.journal.block_written(sequence), Sequence(run));
        assert_eq!(self.journal.marks().durable(), Sequence(run));
    }

    fn begin_superblock(&mut self, free: bool) {
        if self.superblock.is_none() {
            self.journal.ring_mut().open_spare();
            self.superblock = Some(self.journal.ring().describe(|_, _| free));
        }
    }

    fn end_superblock(&mut self) {
        let Some(files) = self.superblock.take() else { return };
        self.journal.ring_mut().superblock_durable(&files);
        for (file, index) in files.iter().zip((0..).map(FileIndex)) {
            match file.state {
                FileUse::Open => drop(self.opened.insert((index, file.lap))),
                FileUse::Free => drop(self.freed.insert((index, file.lap))),
                FileUse::Sealed => {}
            }
        }
    }

    /// Writes everything out, one block after the other, in the files there are.
    fn drain(&mut self) {
        for _ in 0..1000 {
            self.begin_superblock(false);
            self.end_superblock();
            self.write();
            self.end_block(0);
        }
        assert!(self.journal.is_idle());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Capture(usize),
    Control,
    Write,
    End(usize),
    Superblock(bool),
    SuperblockEnds,
    Confirm,
    Close,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..9000usize).prop_map(Step::Capture),
        1 => (1..40_000usize).prop_map(Step::Capture),
        2 => Just(Step::Control),
        4 => Just(Step::Write),
        4 => (0..4usize).prop_map(Step::End),
        2 => any::<bool>().prop_map(Step::Superblock),
        2 => Just(Step::SuperblockEnds),
        1 => Just(Step::Confirm),
        1 => Just(Step::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn blocks_are_placed_written_and_durable_in_order_whatever_happens_when(
        steps in prop::collection::vec(any_step(), 1..400),
        file_units in 8..=64u64,
        file_count in 2..=4u16,
        blocks_in_flight in 1..=4usize,
    ) {
        let geometry = geometry(file_count, file_units * 4096);
        let mut rig = Rig::new(geometry, blocks_in_flight);
        for step in steps {
            match step {
                Step::Capture(bytes) => {
                    let _ = rig.append(capture(bytes.min(geometry.batch_bytes_max())), Purpose::Capture);
                }
                Step::Control => drop(rig.append(control(), Purpose::Control)),
                Step::Write => rig.write(),
                Step::End(which) => rig.end_block(which),
                Step::Superblock(free) => rig.begin_superblock(free),
                Step::SuperblockEnds => rig.end_superblock(),
                Step::Confirm => drop(rig.journal.append_confirmation()),
                Step::Close => drop(rig.journal.close_block()),
            }
        }
        rig.drain();
        prop_assert!(rig.expected.is_empty(), "every entry was written");
        prop_assert_eq!(rig.journal.queued_bytes(), 0);
    }
}

#[test]
fn captures_leave_a_reserve_that_control_entries_can_use() {
    for bytes in [100, 3000, 5000, 20_000, 27_000] {
        for file_bytes in [32 * 1024, 64 * 1024, 256 * 1024] {
            let geometry = geometry(2, file_bytes);
            let mut rig = Rig::opened(geometry, 1);
            while rig.append(capture(bytes), Purpose::Capture).is_ok() {
                rig.journal.close_block();
            }
            assert_eq!(rig.append(capture(bytes), Purpose::Capture), Err(AppendError::JournalFull));
            for block in 0..geometry.reserve_bytes() / 4096 {
                let appended = rig.append(control(), Purpose::Control);
                assert!(appended.is_ok(), "control block {block} behind captures of {bytes} in files of {file_bytes}");
                rig.journal.close_block();
            }
            rig.drain();
        }
    }
}

#[test]
fn a_full_journal_refuses_control_entries_too_and_goes_on_when_a_file_is_free_again() {
    let mut rig = Rig::opened(geometry(2, 32 * 1024), 1);
    while rig.append(control(), Purpose::Control).is_ok() {
        rig.journal.close_block();
    }
    assert_eq!(rig.append(control(), Purpose::Control), Err(AppendError::JournalFull));
    rig.drain();
    assert_eq!(rig.journal.marks().durable(), Sequence(16));
    rig.begin_superblock(true);
    assert_eq!(rig.append(control(), Purpose::Control), Err(AppendError::JournalFull), "not free before it is durable");
    rig.end_superblock();
    let appended = rig.append(control(), Purpose::Control).unwrap();
    assert_eq!((appended.sequence, appended.file), (Sequence(17), FileIndex(0)));
    rig.write();
    assert_eq!(rig.in_flight, [], "the second lap is not open yet");
    rig.drain();
}

#[test]
fn more_queued_than_the_limit_is_refused_to_captures_only() {
    let mut rig = Rig::opened(geometry(4, 64 << 20), 1);
    let mut queued = 0;
    let batch = capture(1 << 20);
    while rig.journal.append(batch.clone(), Purpose::Capture).is_ok() {
        queued += batch.encoded_bytes();
    }
    assert!(queued <= JOURNAL_QUEUED_BYTES_MAX && queued + batch.encoded_bytes() > JOURNAL_QUEUED_BYTES_MAX);
    assert_eq!(rig.journal.queued_bytes(), queued);
    assert_eq!(rig.journal.append(batch, Purpose::Capture), Err(AppendError::QueueFull));
    assert!(rig.journal.append(control(), Purpose::Control).is_ok());
}

#[test]
fn what_arrives_while_a_block_is_written_shares_the_next_one() {
    let mut rig = Rig::opened(geometry(2, 64 * 1024), 1);
    let first = rig.append(capture(10), Purpose::Capture).unwrap();
    rig.write();
    let later: Vec<_> = (0..20).map(|_| rig.append(capture(10), Purpose::Capture).unwrap().sequence).collect();
    assert_eq!((first.sequence, later), (Sequence(1), vec![Sequence(2); 20]));
    assert!(rig.journal.ready_block().is_none());
    rig.end_block(0);
    rig.write();
    assert_eq!(rig.in_flight, [Sequence(2)]);
}

#[test]
fn nothing_is_added_to_a_block_that_was_closed() {
    let mut rig = Rig::opened(geometry(2, 64 * 1024), 1);
    let first = rig.append(control(), Purpose::Control).unwrap();
    assert_eq!(rig.journal.close_block(), first.sequence);
    let second = rig.append(control(), Purpose::Control).unwrap();
    assert_eq!(second.sequence, first.sequence.next());
    rig.drain();
    assert_eq!(rig.journal.close_block(), Sequence(2), "with nothing forming it is the last block");
}

#[test]
fn after_a_stop_nothing_is_taken_written_or_durable() {
    let mut rig = Rig::opened(geometry(2, 64 * 1024), 2);
    for _ in 0..3 {
        rig.append(control(), Purpose::Control).unwrap();
        rig.journal.close_block();
    }
    rig.write();
    rig.journal.stop();
    assert_eq!(rig.journal.append(control(), Purpose::Control), Err(AppendError::Stopped));
    assert_eq!(rig.journal.append(capture(1), Purpose::Capture), Err(AppendError::Stopped));
    assert!(!rig.journal.append_confirmation());
    assert!(rig.journal.ready_block().is_none());
    for sequence in [1, 2] {
        assert_eq!(rig.journal.block_written(Sequence(sequence)), Sequence(0));
    }
    assert_eq!(rig.journal.marks().durable(), Sequence(0));
}

#[test]
fn a_block_is_confirmed_once_and_not_at_all_if_something_else_does_it() {
    let mut rig = Rig::opened(geometry(2, 64 * 1024), 1);
    assert!(!rig.journal.append_confirmation(), "there is nothing to confirm");
    rig.append(control(), Purpose::Control).unwrap();
    assert!(!rig.journal.append_confirmation(), "it is not durable");
    rig.drain();
    assert!(rig.journal.append_confirmation());
    rig.drain();
    assert!(!rig.journal.append_confirmation(), "an empty block needs no confirmation");
    rig.append(control(), Purpose::Control).unwrap();
    rig.drain();
    rig.journal.superblock_confirms(rig.journal.marks().durable());
    assert!(!rig.journal.append_confirmation(), "the superblock did it");
}
