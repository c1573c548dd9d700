//! The table against a list of everything that was ever accepted.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{HALF, SEQUENCE_MAX, receipt, stamp};
use crate::format::batch::ProducerStamp;
use crate::limits::PRODUCER_WINDOW_BATCHES;
use crate::model::{ProducerEpoch, ProducerId, Sequence};
use crate::producer::{Admission, ProducerError, ProducerTable, Receipt};

const RANGE: i128 = 1 << 31;
const COUNT_MAX: usize = 3;

/// An accepted batch; its sequences counted on without wrapping.
#[derive(Clone, Copy, Debug)]
struct Stored {
    id: ProducerId,
    epoch: ProducerEpoch,
    first: i128,
    count: i128,
    crc: u32,
    receipt: Receipt,
}

#[derive(Debug, PartialEq)]
enum Expected {
    New,
    Duplicate(Receipt),
    Known(Sequence),
    Unknown,
    Full,
    Fenced(ProducerEpoch),
    OutOfOrder(i128),
    Conflict(Receipt),
    BeyondWindow,
}

/// Whether idempotency keys answer the batch of this checksum.
fn is_known(crc: u32) -> bool {
    crc == 1
}

fn holds(stored: &Stored, sequence: i128) -> bool {
    (stored.first..stored.first + stored.count).contains(&sequence)
}

fn expected(all: &[Stored], stamp: &ProducerStamp, crc: u32) -> Expected {
    let base = i128::from(stamp.base_sequence);
    let of_id: Vec<_> = all.iter().filter(|stored| stored.id == stamp.id).collect();
    let Some(epoch) = of_id.iter().map(|stored| stored.epoch).max() else {
        let mut ids: Vec<_> = all.iter().map(|stored| stored.id).collect();
        ids.sort_unstable();
        ids.dedup();
        return match base {
            0 if ids.len() < COUNT_MAX => Expected::New,
            0 => Expected::Full,
            _ => Expected::Unknown,
        };
    };
    if stamp.epoch != epoch {
        return match (stamp.epoch < epoch, base) {
            (true, _) => Expected::Fenced(epoch),
            (false, 0) => Expected::New,
            (false, _) => Expected::OutOfOrder(0),
        };
    }
    let of_epoch: Vec<_> = of_id.into_iter().filter(|stored| stored.epoch == epoch).collect();
    let next: i128 = of_epoch.iter().map(|stored| stored.count).sum();
    // The sequence meant is the one of this remainder that is nearest to the next.
    let ahead = (base - next).rem_euclid(RANGE);
    let first = next + if ahead >= RANGE / 2 { ahead - RANGE } else { ahead };
    let behind = first + i128::from(stamp.record_count());
    let shares = |stored: &&&Stored| first < stored.first + stored.count && stored.first < behind;
    let held = &of_epoch[of_epoch.len().saturating_sub(PRODUCER_WINDOW_BATCHES)..];
    if first == next {
        Expected::New
    } else if let Some(stored) = held.iter().find(shares) {
        let same = (stored.first, stored.count, stored.crc) == (first, behind - first, crc);
        match same {
            true if is_known(crc) => Expected::Known(stored.receipt.sequence),
            true => Expected::Duplicate(stored.receipt),
            false => Expected::Conflict(stored.receipt),
        }
    } else if (first..behind).all(|sequence| of_epoch.iter().any(|stored| holds(stored, sequence))) {
        Expected::BeyondWindow
    } else {
        Expected::OutOfOrder(next.rem_euclid(RANGE))
    }
}

fn found(admission: Admission) -> Expected {
    match admission {
        Admission::New => Expected::New,
        Admission::Duplicate(receipt) => Expected::Duplicate(receipt),
        Admission::Known(sequence) => Expected::Known(sequence),
        Admission::Refused(ProducerError::UnknownProducer { .. }) => Expected::Unknown,
        Admission::Refused(ProducerError::TableFull { .. }) => Expected::Full,
        Admission::Refused(ProducerError::Fenced { known, .. }) => Expected::Fenced(known),
        Admission::Refused(ProducerError::OutOfOrder { expected, .. }) => Expected::OutOfOrder(i128::from(expected)),
        Admission::Refused(ProducerError::DuplicateBeyondWindow { .. }) => Expected::BeyondWindow,
        Admission::Refused(ProducerError::SequenceConflict { base_offset, depends_on, .. }) => {
            Expected::Conflict(Receipt { base_offset, sequence: depends_on, ..Receipt::default() })
        }
    }
}

/// What an error carries of a receipt.
fn comparable(expected: Expected) -> Expected {
    match expected {
        Expected::Conflict(receipt) => {
            Expected::Conflict(Receipt { append_time: Receipt::default().append_time, ..receipt })
        }
        other => other,
    }
}

/// Which batch a client sends, relative to what the table has seen of it.
#[derive(Clone, Copy, Debug)]
enum Sent {
    /// Right behind the last of its epoch.
    Next { count: u32 },
    /// The one so many before the last, perhaps changed a little.
    Again { back: usize, shift: i32, longer: u32 },
    /// Any sequence.
    Any { base_sequence: u32, count: u32 },
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let near_ends = prop_oneof![0..20_u32, SEQUENCE_MAX - 20..=SEQUENCE_MAX, HALF - 20..HALF + 20, 0..=SEQUENCE_MAX];
    prop_oneof![
        5 => (1..4_u32).prop_map(|count| Sent::Next { count }),
        3 => (0..9_usize).prop_map(|back| Sent::Again { back, shift: 0, longer: 0 }),
        2 => (0..9_usize, -2..3_i32, 0..3_u32).prop_map(|(back, shift, longer)| Sent::Again { back, shift, longer }),
        1 => (near_ends, 1..4_u32).prop_map(|(base_sequence, count)| Sent::Any { base_sequence, count }),
    ]
}

fn wrapped(sequence: i128) -> u32 {
    u32::try_from(sequence.rem_euclid(RANGE)).unwrap()
}

fn stamp_of(all: &[Stored], id: u64, epoch: u16, sent: Sent) -> ProducerStamp {
    let of_epoch = all.iter().filter(|stored| (stored.id.0, stored.epoch.0) == (id, epoch));
    match sent {
        Sent::Next { count } => stamp(id, epoch, wrapped(of_epoch.map(|stored| stored.count).sum()), count),
        Sent::Again { back, shift, longer } => match of_epoch.rev().nth(back) {
            Some(stored) => {
                stamp(id, epoch, wrapped(stored.first + i128::from(shift)), wrapped(stored.count.min(4)) + longer)
            }
            None => stamp(id, epoch, 0, 1),
        },
        Sent::Any { base_sequence, count } => stamp(id, epoch, base_sequence, count),
    }
}

/// The table and the list of all, kept in step.
struct Pair {
    table: ProducerTable,
    all: Vec<Stored>,
}

impl Pair {
    fn send(&mut self, stamp: &ProducerStamp, crc: u32) {
        let expected = expected(&self.all, stamp, crc);
        let admission = self.table.check(stamp, crc);
        assert_eq!(found(admission), comparable(expected), "{stamp:?} crc {crc}");
        if admission != Admission::New {
            return;
        }
        let receipt = receipt(self.all.len() as u64 + 1);
        if is_known(crc) {
            self.table.apply_known(stamp, crc, receipt);
        } else {
            self.table.apply(stamp, crc, receipt);
        }
        let of_epoch = self.all.iter().filter(|stored| (stored.id, stored.epoch) == (stamp.id, stamp.epoch));
        let first = of_epoch.map(|stored| stored.count).sum();
        let count = i128::from(stamp.record_count());
        self.all.push(Stored { id: stamp.id, epoch: stamp.epoch, first, count, crc, receipt });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn table_answers_as_a_list_of_all_batches_would(
        steps in vec((prop_oneof![4 => Just(0_u64), 1 => 1..4_u64], prop_oneof![9 => Just(0_u16), 1 => 1..3_u16],
            any_sent(), 0..8_u32), 1..80),
        start in option_of_start(),
    ) {
        let mut pair = Pair { table: ProducerTable::new(COUNT_MAX), all: Vec::new() };
        if let Some(start) = start {
            pair.send(&stamp(0, 0, 0, HALF), 0);
            pair.send(&stamp(0, 0, HALF, start - HALF), 0);
            // Out of the window with the long ones: no real batch is near half the range.
            for count in 0..5 {
                pair.send(&stamp(0, 0, (start + count) % (SEQUENCE_MAX + 1), 1), 0);
            }
        }
        for (id, epoch, sent, crc) in steps {
            let stamp = stamp_of(&pair.all, id, epoch, sent);
            // Mostly the same checksum, so that many batches sent again are the same.
            pair.send(&stamp, crc / 7);
        }
        let mut encoded = Vec::new();
        pair.table.encode(&mut encoded);
        prop_assert_eq!(encoded.len(), pair.table.encoded_bytes());
        prop_assert_eq!(ProducerTable::decode(&mut &encoded[..], COUNT_MAX), Ok(pair.table));
    }
}

/// Begins a run shortly before the sequence wraps.
fn option_of_start() -> impl Strategy<Value = Option<u32>> {
    proptest::option::of(SEQUENCE_MAX - 30..=SEQUENCE_MAX)
}
