use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::format::control::{Control, Entry, EntryWalk};
use crate::limits::BLOCK_BYTES_MAX;
use crate::model::TopicId;

/// Header and entry of the block below; all that follow are zero.
const GOLDEN: &str = "\
    464c524e424c434b61d244e003000500a0a1a2a3a4a5a6a7a8a9aaabacadaeaf04000000000000000900000000000000\
    0c000000000000000b000000000000000807060504030201030000000000000000200000000000000100000001000000\
    20000000001000007b43ce30000000000000000000000000000000000000000004000000000000000700000000000000\
    00000000000000000000000000000000";
const GOLDEN_CHAIN: Chain = Chain(0xe044_d261_30ce_437b);

fn name() -> JournalName {
    let journal_id = Id128(std::array::from_fn(|at| 0xa0 + u8::try_from(at).unwrap()));
    JournalName { journal_id, shard: ShardId(5) }
}

fn head() -> BlockHead {
    BlockHead {
        place: Place { file: FileIndex(1), lap: Lap(3), position: Position(8192) },
        epoch: Epoch(4),
        epoch_first_sequence: Sequence(9),
        sequence: Sequence(12),
        durable_sequence: Sequence(11),
        previous: Chain(0x0102_0304_0506_0708),
        entry_count: 1,
        payload_bytes: 32,
    }
}

fn entry() -> Entry {
    Entry::Control(Control::TopicLive(TopicId(7)))
}

fn block() -> (Vec<u8>, Chain) {
    let mut block = vec![0; head().block_bytes()];
    entry().encode(&mut block[BLOCK_HEADER_BYTES..]);
    let chain = head().seal(name(), &mut block);
    (block, chain)
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Makes the header's checksum right again after a test has changed bytes.
fn seal(block: &mut [u8]) {
    let checksum = Seed::of(name().journal_id).checksum(&block[CHECKED_FROM..BLOCK_HEADER_BYTES]);
    block[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

fn with_header_bytes(at: usize, value: &[u8]) -> Vec<u8> {
    let (mut block, _) = block();
    block[at..at + value.len()].copy_from_slice(value);
    seal(&mut block);
    block
}

#[test]
fn a_block_has_these_bytes_and_this_chain_link() {
    let mut golden = bytes(GOLDEN);
    golden.resize(UNIT_BYTES, 0);
    let (block, chain) = block();
    assert_eq!(block, golden);
    assert_eq!(chain, GOLDEN_CHAIN);
}

#[test]
fn what_was_sealed_is_read_again_with_its_entries() {
    let golden = block().0;
    let checked = read_head(&golden, name()).unwrap();
    assert_eq!((checked.head, checked.chain), (head(), GOLDEN_CHAIN));
    assert!(checked.body_matches(name(), &golden));
    let payload = Bytes::copy_from_slice(&golden[BLOCK_HEADER_BYTES..BLOCK_HEADER_BYTES + 32]);
    let entries: Vec<_> = EntryWalk::new(payload, checked.head.entry_count).collect();
    assert_eq!(entries, [Ok(entry())]);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (mut block, _) = block();
    for bit in 0..block.len() * 8 {
        block[bit / 8] ^= 1 << (bit % 8);
        let found = read_head(&block, name());
        if bit / 8 < BLOCK_HEADER_BYTES {
            assert!(found.is_none(), "bit {bit} of the header");
        } else {
            assert!(!found.unwrap().body_matches(name(), &block), "bit {bit} of the body");
        }
        block[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_header_of_another_version_is_no_header() {
    assert!(read_head(&with_header_bytes(12, &FORMAT_VERSION.to_le_bytes()), name()).is_some());
    for version in [FORMAT_VERSION - 1, FORMAT_VERSION + 1, u16::MAX] {
        assert!(read_head(&with_header_bytes(12, &version.to_le_bytes()), name()).is_none(), "version {version}");
    }
}

#[test]
fn a_header_of_another_journal_or_shard_is_no_header() {
    let (block, _) = block();
    assert!(read_head(&block, JournalName { journal_id: Id128([0; 16]), ..name() }).is_none());
    assert!(read_head(&block, JournalName { shard: ShardId(4), ..name() }).is_none());
}

#[test]
fn impossible_fields_under_a_right_checksum_are_no_header() {
    let cases: [(usize, &[u8], &str); 7] = [
        (80, &8193u64.to_le_bytes(), "a position that is not the start of a unit"),
        (90, &1u16.to_le_bytes(), "reserved bytes"),
        (96, &(u32::MAX - 4000).to_le_bytes(), "a payload larger than the block"),
        (96, &4097u32.to_le_bytes(), "a payload one unit larger than the block"),
        (100, &0u32.to_le_bytes(), "a block of no bytes"),
        (108, &[1], "the first byte of the reserved tail"),
        (127, &[1], "the last byte of the reserved tail"),
    ];
    for (at, value, what) in cases {
        assert!(read_head(&with_header_bytes(at, value), name()).is_none(), "{what}");
    }
}

#[test]
fn a_block_larger_than_any_writer_makes_is_no_header() {
    let payload_bytes = u32::try_from(BLOCK_BYTES_MAX).unwrap();
    let (mut block, _) = block();
    block[96..100].copy_from_slice(&payload_bytes.to_le_bytes());
    let size = u32::try_from(block_bytes(BLOCK_BYTES_MAX)).unwrap();
    block[100..104].copy_from_slice(&size.to_le_bytes());
    seal(&mut block);
    assert!(read_head(&block, name()).is_none());
}

#[test]
fn the_chain_link_depends_on_header_and_body() {
    let mut other = vec![0; UNIT_BYTES];
    Entry::Control(Control::TopicLive(TopicId(8))).encode(&mut other[BLOCK_HEADER_BYTES..]);
    let other_body = head().seal(name(), &mut other);
    let later = BlockHead { sequence: Sequence(13), ..head() };
    let other_header = later.seal(name(), &mut block().0);
    assert!(other_body != GOLDEN_CHAIN && other_header != GOLDEN_CHAIN && other_body != other_header);
}

#[test]
fn blocks_are_rounded_up_to_whole_units() {
    assert_eq!(block_bytes(0), UNIT_BYTES);
    assert_eq!(block_bytes(UNIT_BYTES - BLOCK_HEADER_BYTES), UNIT_BYTES);
    assert_eq!(block_bytes(UNIT_BYTES - BLOCK_HEADER_BYTES + 1), 2 * UNIT_BYTES);
}

#[test]
fn a_body_of_another_length_does_not_match() {
    let (mut block, _) = block();
    let checked = read_head(&block, name()).unwrap();
    assert!(!checked.body_matches(name(), &block[..UNIT_BYTES - 1]));
    block.push(0);
    assert!(!checked.body_matches(name(), &block));
}

fn any_head() -> impl Strategy<Value = BlockHead> {
    let place = (any::<u16>(), any::<u64>(), 0..1u64 << 40);
    (place, any::<[u64; 5]>(), any::<u32>(), 0..20_000u32).prop_map(|((file, lap, unit), n, entry_count, payload)| {
        BlockHead {
            place: Place { file: FileIndex(file), lap: Lap(lap), position: Position(unit * UNIT_BYTES as u64) },
            epoch: Epoch(n[0]),
            epoch_first_sequence: Sequence(n[1]),
            sequence: Sequence(n[2].max(1)),
            durable_sequence: Sequence(n[3] % n[2].max(1)),
            previous: Chain(n[4]),
            entry_count,
            payload_bytes: payload,
        }
    })
}

proptest! {
    #[test]
    fn any_header_survives_its_encoding(head in any_head(), id: [u8; 16], shard: u16, fill: u8) {
        let name = JournalName { journal_id: Id128(id), shard: ShardId(shard) };
        let mut block = vec![0; head.block_bytes()];
        block[BLOCK_HEADER_BYTES..BLOCK_HEADER_BYTES + head.payload_bytes as usize].fill(fill);
        let chain = head.seal(name, &mut block);
        let checked = read_head(&block, name).unwrap();
        prop_assert_eq!((checked.head, checked.chain), (head, chain));
        prop_assert!(checked.body_matches(name, &block));
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut unit in prop::collection::vec(any::<u8>(), 0..2 * UNIT_BYTES)) {
        prop_assert!(read_head(&unit, name()).is_none());
        unit.resize(UNIT_BYTES, 0);
        unit[..8].copy_from_slice(&MAGIC);
        unit[12..14].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        unit[14..16].copy_from_slice(&name().shard.0.to_le_bytes());
        unit[16..32].copy_from_slice(&name().journal_id.0);
        seal(&mut unit);
        if let Some(checked) = read_head(&unit, name()) {
            let _ = checked.body_matches(name(), &unit);
        }
    }
}
