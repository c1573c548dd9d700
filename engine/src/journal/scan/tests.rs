use super::*;
use crate::format::block::{BLOCK_HEADER_BYTES, BlockHead};
use crate::format::checksum::Chain;
use crate::model::{Epoch, Id128, Sequence, ShardId};

const NAME: JournalName = JournalName { journal_id: Id128([7; 16]), shard: ShardId(0) };
const FILE: FileIndex = FileIndex(1);
const FILE_BYTES: usize = 8 * UNIT_BYTES;

fn virgin_file() -> BytesMut {
    let mut bytes = BytesMut::zeroed(FILE_BYTES);
    for (unit, position) in bytes.chunks_mut(UNIT_BYTES).zip((0..).step_by(UNIT_BYTES)) {
        virgin::encode(unit, NAME.journal_id, FILE, Position(position));
    }
    bytes
}

/// A sealed block for a unit of the file.
fn block(unit: usize, lap: u64, payload_bytes: u32) -> Vec<u8> {
    let head = BlockHead {
        place: Place { file: FILE, lap: Lap(lap), position: Position((unit * UNIT_BYTES) as u64) },
        epoch: Epoch(1),
        epoch_first_sequence: Sequence(1),
        sequence: Sequence(5),
        durable_sequence: Sequence(4),
        previous: Chain(9),
        entry_count: 1,
        payload_bytes,
    };
    let mut block = vec![0; head.block_bytes()];
    block[BLOCK_HEADER_BYTES..BLOCK_HEADER_BYTES + payload_bytes as usize].fill(0x5a);
    head.seal(NAME, &mut block);
    block
}

fn image(bytes: BytesMut, unreadable: &[usize]) -> FileImage {
    let position = |unit: &usize| Position((unit * UNIT_BYTES) as u64);
    FileImage { file: FILE, bytes: bytes.freeze(), unreadable: unreadable.iter().map(position).collect() }
}

fn look(image: &FileImage, lap: u64, unit: usize) -> (Header, Body, u64) {
    let found = image.look(NAME, Lap(lap), Position((unit * UNIT_BYTES) as u64));
    assert_eq!(found.block.is_some(), matches!(found.header, Header::Block | Header::Misplaced));
    (found.header, found.body, found.reach_bytes / UNIT_BYTES as u64)
}

#[test]
fn a_virgin_file_is_virgin_on_every_lap_and_only_for_its_journal() {
    let image = image(virgin_file(), &[3]);
    for unit in (0..8).filter(|unit| *unit != 3) {
        assert_eq!(look(&image, 1, unit), (Header::Virgin, Body::None, 1));
        assert_eq!(look(&image, 2, unit), (Header::Virgin, Body::None, 1));
        let other = JournalName { journal_id: Id128([8; 16]), ..NAME };
        let found = image.look(other, Lap(1), Position((unit * UNIT_BYTES) as u64));
        assert_eq!(found.header, Header::Garbage);
    }
    assert_eq!(look(&image, 1, 3), (Header::Unreadable, Body::None, 1));
}

#[test]
fn a_block_reaches_as_far_as_its_header_says() {
    let mut bytes = virgin_file();
    bytes[2 * UNIT_BYTES..5 * UNIT_BYTES].copy_from_slice(&block(2, 3, 9000));
    let image = image(bytes, &[]);
    assert_eq!(look(&image, 3, 2), (Header::Block, Body::Good, 3));
    assert_eq!(look(&image, 3, 3), (Header::Garbage, Body::None, 1), "its second unit is nothing by itself");
    let found = image.look(NAME, Lap(3), Position(2 * UNIT_BYTES as u64));
    assert_eq!(found.block.unwrap().head.sequence, Sequence(5));
}

#[test]
fn a_block_of_another_lap_is_stale_if_earlier_and_misplaced_if_later() {
    let mut bytes = virgin_file();
    bytes[..UNIT_BYTES].copy_from_slice(&block(0, 3, 100));
    let image = image(bytes, &[]);
    assert_eq!(look(&image, 3, 0), (Header::Block, Body::Good, 1));
    assert_eq!(look(&image, 4, 0), (Header::StaleLap, Body::None, 1));
    assert_eq!(look(&image, 2, 0), (Header::Misplaced, Body::None, 1));
}

#[test]
fn a_block_for_another_unit_or_file_is_misplaced() {
    let mut bytes = virgin_file();
    bytes[..UNIT_BYTES].copy_from_slice(&block(1, 3, 100));
    let mut image = image(bytes, &[]);
    assert_eq!(look(&image, 3, 0).0, Header::Misplaced);
    assert_eq!(look(&image, 4, 0).0, Header::Misplaced, "also on a later lap");
    let mut bytes = virgin_file();
    bytes[..UNIT_BYTES].copy_from_slice(&block(0, 3, 100));
    image.bytes = bytes.freeze();
    image.file = FileIndex(2);
    assert_eq!(look(&image, 3, 0).0, Header::Misplaced);
}

#[test]
fn a_torn_or_unreadable_body_is_told_apart_and_one_beyond_the_end_is_bad() {
    let mut bytes = virgin_file();
    bytes[2 * UNIT_BYTES..5 * UNIT_BYTES].copy_from_slice(&block(2, 3, 9000));
    bytes[5 * UNIT_BYTES - 1] ^= 1;
    bytes[7 * UNIT_BYTES..].copy_from_slice(&block(7, 3, 9000)[..UNIT_BYTES]);
    assert_eq!(look(&image(bytes.clone(), &[]), 3, 2), (Header::Block, Body::Bad, 3));
    assert_eq!(look(&image(bytes.clone(), &[]), 3, 7), (Header::Block, Body::Bad, 1));
    for unit in [3, 4] {
        assert_eq!(look(&image(bytes.clone(), &[unit]), 3, 2), (Header::Block, Body::Unreadable, 3));
    }
    assert_eq!(look(&image(bytes, &[5]), 3, 2), (Header::Block, Body::Bad, 3), "the unit behind it is not its own");
}
