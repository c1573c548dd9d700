//! The part behind what the superblock vouches for: blocks are accepted while the chain goes on, then every unit
//! that is left is judged by the decision table.

use std::collections::BTreeMap;

use super::confirmed::accepted;
use super::{CutUnit, Damage, Recovery, Wrong};
use crate::format::superblock::{FileUse, Superblock};
use crate::journal::decision::{Age, Case, Evidence, Harm, Header, Lap, Link, Order, Reach, Verdict, decide};
use crate::journal::scan::{FileImage, Found};
use crate::limits::BLOCKS_IN_FLIGHT_MAX;
use crate::marks::{self, Mark};
use crate::model::{FileIndex, Position, Sequence};

/// Accepts what follows the confirmed part and judges the rest.
pub(super) fn walk(superblock: &Superblock, durable: Sequence, images: &[FileImage], recovery: &mut Recovery) {
    let open: Vec<&FileImage> =
        images.iter().filter(|image| superblock.files[usize::from(image.file.0)].state == FileUse::Open).collect();
    let confirmed = superblock.confirmed_sequence;
    recovery.tail_file = open.iter().map(|image| image.file).find(|file| {
        let file = &superblock.files[usize::from(file.0)];
        file.confirmed_bytes > 0 && file.last_sequence == confirmed
    });
    let mut found: Vec<(usize, Found)> = Vec::new();
    for (index, image) in open.iter().enumerate() {
        found.extend(units(superblock, image).map(|unit| (index, unit)));
    }
    let mut rest = accept_in_order(superblock, &open, found, recovery);
    judge_rest(superblock, durable, &mut rest, recovery);
}

/// Everything that stands in the file behind its confirmed part.
fn units<'a>(superblock: &'a Superblock, image: &'a FileImage) -> impl Iterator<Item = Found> + 'a {
    let file = superblock.files[usize::from(image.file.0)];
    let mut position = Position(file.confirmed_bytes);
    std::iter::from_fn(move || {
        if position.0 >= image.bytes.len() as u64 {
            return None;
        }
        let found = image.look(superblock.name, file.lap, position);
        position = position.plus(found.reach_bytes);
        Some(found)
    })
}

/// Accepts block after block until the next one is missing; returns the units that were not accepted.
fn accept_in_order(
    superblock: &Superblock,
    open: &[&FileImage],
    found: Vec<(usize, Found)>,
    recovery: &mut Recovery,
) -> Vec<Found> {
    let mut by_sequence: BTreeMap<Sequence, Vec<usize>> = BTreeMap::new();
    for (index, (_, unit)) in found.iter().enumerate() {
        if let (Header::Block, Some(block)) = (unit.header, &unit.block) {
            by_sequence.entry(block.head.sequence).or_default().push(index);
        }
    }
    let mut taken = vec![false; found.len()];
    loop {
        let expected = recovery.last_sequence.next();
        let candidates = by_sequence.get(&expected).map_or(&[][..], Vec::as_slice);
        let accept = |index: &&usize| {
            let case = case_of(superblock, &found[**index].1, expected, evidence_if_missing(superblock), recovery);
            decide(&case) == Verdict::Accept
        };
        let Some(index) = candidates.iter().find(accept).copied() else { break };
        let (image, unit) = &found[index];
        let block = unit.block.as_ref().expect("candidates are blocks");
        recovery.blocks.push(accepted(open[*image], unit));
        (recovery.last_sequence, recovery.last_chain) = (expected, block.chain);
        recovery.tail_file = Some(unit.file);
        let file = &mut recovery.files[usize::from(unit.file.0)];
        file.confirmed_bytes = unit.position.0 + unit.reach_bytes;
        file.last_sequence = expected;
        if file.first_sequence == Sequence(0) {
            file.first_sequence = expected;
        }
        taken[index] = true;
    }
    found.into_iter().zip(taken).filter(|(_, taken)| !taken).map(|((_, unit), _)| unit).collect()
}

/// Judges what was not accepted.
fn judge_rest(superblock: &Superblock, durable: Sequence, rest: &mut [Found], recovery: &mut Recovery) {
    let missing = recovery.last_sequence.next();
    let stated = rest.iter().filter_map(|unit| match (unit.header, &unit.block) {
        (Header::Block, Some(block)) if block.head.epoch == superblock.epoch => Some(block.head.durable_sequence),
        _ => None,
    });
    let evidence = match stated.chain([durable]).max().filter(|stated| *stated >= missing) {
        Some(last) => {
            marks::hit(Mark::ConfirmedBlockLost);
            recovery.damage.push(Damage { file: None, position: None, wrong: Wrong::Missing { first: missing, last } });
            Evidence::MissingWasDurable
        }
        None => evidence_if_missing(superblock),
    };
    for unit in rest.iter() {
        let case = case_of(superblock, unit, missing, evidence, recovery);
        let (file, position) = (unit.file, unit.position);
        match decide(&case) {
            Verdict::Cut => {
                marks::hit(Mark::TailCut);
                let sequence = unit.block.as_ref().map(|block| block.head.sequence);
                recovery.cuts.push(CutUnit { file, position, sequence });
            }
            Verdict::NeverWritten => {}
            Verdict::Stale => marks::hit(Mark::StaleRemains),
            Verdict::Damage(harm) => {
                marks::hit(Mark::TailDamaged);
                let (file, position) = (Some(file), Some(position));
                recovery.damage.push(Damage { file, position, wrong: Wrong::Unit(harm) });
            }
            Verdict::Accept => {
                let wrong = Wrong::Unit(Harm::Displaced);
                recovery.damage.push(Damage { file: Some(file), position: Some(position), wrong });
            }
        }
    }
}

fn evidence_if_missing(superblock: &Superblock) -> Evidence {
    if superblock.clean { Evidence::ClosedInOrder } else { Evidence::Silent }
}

fn case_of(superblock: &Superblock, unit: &Found, expected: Sequence, evidence: Evidence, recovery: &Recovery) -> Case {
    let any_head = unit.block.as_ref().map(|block| block.head);
    let head = any_head.filter(|_| unit.header == Header::Block);
    let age = any_head.map_or(Age::None, |head| match head.epoch.cmp(&superblock.epoch) {
        std::cmp::Ordering::Equal => Age::Current,
        std::cmp::Ordering::Less => Age::Older,
        std::cmp::Ordering::Greater => Age::Newer,
    });
    let order = head.map_or(Order::None, |head| match head.sequence.cmp(&expected) {
        std::cmp::Ordering::Equal => Order::Expected,
        std::cmp::Ordering::Less => Order::Behind,
        std::cmp::Ordering::Greater => Order::Ahead,
    });
    let link = head
        .filter(|_| order == Order::Expected)
        .map_or(Link::Unknown, |head| if head.previous == recovery.last_chain { Link::Matches } else { Link::Broken });
    let lap = if superblock.files[usize::from(unit.file.0)].lap.0 == 1 { Lap::First } else { Lap::Later };
    let reach = reach_of(superblock, unit.file, unit.position, recovery);
    Case { header: unit.header, body: unit.body, age, order, link, reach, lap, evidence }
}

/// Where a unit stands against the end of what was accepted in its file.
fn reach_of(superblock: &Superblock, file: FileIndex, position: Position, recovery: &Recovery) -> Reach {
    let end = recovery.files[usize::from(file.0)].confirmed_bytes;
    let window = (BLOCKS_IN_FLIGHT_MAX * superblock.geometry.block_bytes_max()) as u64;
    let continues_here = recovery.tail_file == Some(file) || end == 0;
    if position.0 == end && continues_here {
        Reach::Next
    } else if position.0 < end + window {
        Reach::Window
    } else {
        Reach::Beyond
    }
}
