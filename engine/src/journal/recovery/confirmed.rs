//! The part of the journal that a superblock vouches for: everything must be exactly as expected.

use super::{Damage, RecoveredBlock, Recovery, Wrong};
use crate::format::batch::Keep;
use crate::format::checksum::Chain;
use crate::format::superblock::{RingFile, Superblock};
use crate::journal::decision::{Body, Header};
use crate::journal::scan::{FileImage, Found};
use crate::marks::{self, Mark};
use crate::model::{Position, Sequence};

/// The block that was accepted last, while walking from file to file.
type Link = Option<(Sequence, Chain)>;

/// Accepts every confirmed block and names every deviation.
pub(super) fn check(superblock: &Superblock, included: Sequence, images: &[FileImage], recovery: &mut Recovery) {
    let mut files: Vec<(&FileImage, &RingFile)> = images
        .iter()
        .map(|image| (image, &superblock.files[usize::from(image.file.0)]))
        .filter(|(_, file)| file.confirmed_bytes > 0)
        .collect();
    files.sort_by_key(|(_, file)| file.first_sequence);
    let mut link = None;
    for (image, file) in files {
        link = check_file(superblock, image, file, link, recovery);
    }
    let confirmed = superblock.confirmed_sequence;
    if link.is_some_and(|(sequence, chain)| sequence == confirmed && chain != superblock.confirmed_chain) {
        let what = format!("block {confirmed} is not the one that the superblock names");
        recovery.damage.push(Damage { file: None, position: None, wrong: Wrong::Confirmed(what) });
    }
    report_missing(included, confirmed, recovery);
}

fn check_file(
    superblock: &Superblock,
    image: &FileImage,
    file: &RingFile,
    before: Link,
    recovery: &mut Recovery,
) -> Link {
    let mut link = before.filter(|(sequence, _)| sequence.next() == file.first_sequence);
    let mut expected = Some(file.first_sequence);
    let mut position = Position(0);
    while position.0 < file.confirmed_bytes {
        let found = image.look(superblock.name, file.lap, position);
        match problem(superblock, file, &found, expected, link) {
            None => {
                let block = found.block.expect("a sound unit is a block");
                recovery.blocks.push(accepted(image, &found));
                link = Some((block.head.sequence, block.chain));
                expected = Some(block.head.sequence.next());
                position = position.plus(found.reach_bytes);
            }
            Some(what) => {
                marks::hit(Mark::ConfirmedDamaged);
                let file = Some(image.file);
                recovery.damage.push(Damage { file, position: Some(position), wrong: Wrong::Confirmed(what) });
                (link, expected) = (None, None);
                position = position.plus(found.reach_bytes);
            }
        }
    }
    if let Some((sequence, _)) = link.filter(|(sequence, _)| *sequence != file.last_sequence) {
        let what = format!("the file ends with block {sequence} instead of {}", file.last_sequence);
        recovery.damage.push(Damage { file: Some(image.file), position: None, wrong: Wrong::Confirmed(what) });
    }
    link
}

/// What is wrong with a unit of the confirmed part.
fn problem(
    superblock: &Superblock,
    file: &RingFile,
    found: &Found,
    expected: Option<Sequence>,
    link: Link,
) -> Option<String> {
    let (Header::Block, Some(block)) = (found.header, &found.block) else {
        return Some(match found.header {
            Header::Unreadable => "the disk cannot read it".to_owned(),
            Header::Virgin => "the block is gone: the unit looks as if never written".to_owned(),
            Header::StaleLap => "the block is gone: the unit holds an earlier lap".to_owned(),
            Header::Misplaced => "a block that belongs to another place".to_owned(),
            Header::Block | Header::Garbage => "no valid block header".to_owned(),
        });
    };
    let head = &block.head;
    if found.body == Body::Unreadable {
        return Some(format!("the disk cannot read all of block {}", head.sequence));
    }
    if found.body != Body::Good {
        return Some(format!("the body of block {} does not match its checksum", head.sequence));
    }
    if expected.is_some_and(|expected| expected != head.sequence) {
        return Some(format!("block {} where another number must stand", head.sequence));
    }
    if link.is_some_and(|(_, chain)| chain != head.previous) {
        return Some(format!("block {} continues another block than the one before it", head.sequence));
    }
    if head.epoch > superblock.epoch || head.sequence > file.last_sequence {
        return Some(format!("block {} is newer than the superblock", head.sequence));
    }
    if found.position.0 + found.reach_bytes > file.confirmed_bytes {
        return Some(format!("block {} reaches beyond the end of the confirmed part", head.sequence));
    }
    None
}

/// The found block as recovery hands it on.
pub(super) fn accepted(image: &FileImage, found: &Found) -> RecoveredBlock {
    let block = found.block.as_ref().expect("only blocks are accepted");
    RecoveredBlock {
        sequence: block.head.sequence,
        epoch: block.head.epoch,
        file: image.file,
        position: found.position,
        durable_sequence: block.head.durable_sequence,
        entry_count: block.head.entry_count,
        payload_bytes: block.head.payload_bytes as usize,
        bytes: image.block_bytes(found.position, block),
        keep: Keep::Copy,
    }
}

/// Every block behind the manifest, up to the last confirmed one, must be there.
fn report_missing(included: Sequence, confirmed: Sequence, recovery: &mut Recovery) {
    let mut expected = included.next();
    let mut gaps = Vec::new();
    for block in recovery.blocks.iter().filter(|block| block.sequence > included) {
        if block.sequence > expected {
            gaps.push((expected, Sequence(block.sequence.0 - 1)));
        }
        expected = block.sequence.next();
    }
    if expected <= confirmed {
        gaps.push((expected, confirmed));
    }
    recovery.damage.extend(gaps.into_iter().map(|(first, last)| Damage {
        file: None,
        position: None,
        wrong: Wrong::Missing { first, last },
    }));
}
