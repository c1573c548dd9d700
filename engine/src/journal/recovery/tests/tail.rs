//! The part behind what a superblock vouches for.

use super::*;
use crate::limits::BLOCKS_IN_FLIGHT_MAX;

/// Two confirmed blocks in the first of three files.
fn two_confirmed() -> Builder {
    let mut builder = Builder::new(3, 64 * 1024);
    builder.append(0, 2);
    builder.confirm();
    builder
}

#[test]
fn an_empty_journal_holds_nothing() {
    let recovery = Builder::new(2, 32 * 1024).examine();
    assert_sound(&recovery, []);
    assert_eq!((recovery.last_chain, recovery.tail_file, recovery.cuts.len()), (Chain(0), None, 0));
}

#[test]
fn blocks_behind_the_confirmed_part_are_accepted_and_their_end_is_found() {
    let mut builder = two_confirmed();
    builder.append(0, 3);
    let recovery = builder.examine();
    assert_sound(&recovery, 1..=5);
    assert_eq!(recovery.last_chain, builder.chain);
    let file = RingFile {
        state: FileUse::Open,
        lap: Lap(1),
        confirmed_bytes: 5 * UNIT,
        first_sequence: Sequence(1),
        last_sequence: Sequence(5),
    };
    assert_eq!(recovery.files[0], file);
}

#[test]
fn a_torn_last_block_is_cut_and_reported() {
    for torn_at in [128, 300, UNIT_BYTES, UNIT_BYTES + 700] {
        let mut builder = two_confirmed();
        let range = builder.put(builder.next(0, 5000));
        builder.images[0][range.start + torn_at..range.end].fill(0);
        let recovery = builder.examine();
        assert_sound(&recovery, 1..=2);
        assert_eq!(cuts(&recovery), [(0, 2, Some(3))], "torn at {torn_at}");
    }
}

#[test]
fn a_last_block_whose_header_never_landed_is_cut_from_a_first_lap() {
    let mut builder = two_confirmed();
    let range = builder.put(builder.next(0, 9000));
    builder.lose(0, range.start..range.start + UNIT_BYTES);
    let recovery = builder.examine();
    assert_sound(&recovery, 1..=2);
    assert_eq!(cuts(&recovery), [(0, 3, None), (0, 4, None)]);
}

#[test]
fn a_missing_block_takes_the_next_one_with_it() {
    let mut builder = two_confirmed();
    let third = builder.put(builder.next(0, 100));
    builder.put(Draft { durable: 2, ..builder.next(0, 100) });
    builder.lose(0, third);
    let recovery = builder.examine();
    assert_sound(&recovery, 1..=2);
    assert_eq!(cuts(&recovery), [(0, 3, Some(4))]);
}

#[test]
fn a_missing_block_that_a_later_one_states_to_be_durable_is_damage() {
    for durable in [3, 4] {
        let mut builder = two_confirmed();
        let third = builder.put(builder.next(0, 100));
        builder.put(Draft { durable: 2, ..builder.next(0, 100) });
        builder.put(Draft { durable, ..builder.next(0, 100) });
        builder.lose(0, third);
        let recovery = builder.examine();
        assert_missing(&recovery, 3, durable);
        assert_unit_damage(&recovery, 0, 3, Harm::ConfirmedBlockLost);
        assert_unit_damage(&recovery, 0, 4, Harm::ConfirmedBlockLost);
        assert_eq!(recovery.cuts, []);
    }
}

#[test]
fn a_torn_block_that_a_later_one_states_to_be_durable_is_damage_also_if_the_later_one_is_torn() {
    let mut builder = two_confirmed();
    let third = builder.put(builder.next(0, 100));
    let fourth = builder.put(Draft { durable: 3, ..builder.next(0, 100) });
    builder.images[0][third.end - 1] ^= 1;
    builder.images[0][fourth.end - 1] ^= 1;
    let recovery = builder.examine();
    assert_missing(&recovery, 3, 3);
    assert_unit_damage(&recovery, 0, 2, Harm::ConfirmedBlockLost);
    assert_eq!(recovery.cuts, []);
}

#[test]
fn evidence_in_another_file_counts() {
    let mut builder = two_confirmed();
    let third = builder.put(builder.next(0, 100));
    builder.open(1, Lap(1));
    builder.put(Draft { durable: 3, ..builder.next(1, 100) });
    builder.lose(0, third);
    assert_missing(&builder.examine(), 3, 3);
}

#[test]
fn the_journal_goes_on_at_the_start_of_an_open_spare_file() {
    let mut builder = two_confirmed();
    builder.open(1, Lap(1));
    builder.append(1, 2);
    let recovery = builder.examine();
    assert_sound(&recovery, 1..=4);
    assert_eq!(recovery.tail_file, Some(FileIndex(1)));
    assert_eq!(recovery.files[1].first_sequence, Sequence(3));
    assert_eq!(recovery.files[1].confirmed_bytes, 2 * UNIT);
    assert_eq!(recovery.files[0].confirmed_bytes, 2 * UNIT);
}

#[test]
fn the_next_block_anywhere_else_is_displaced() {
    let mut builder = two_confirmed();
    builder.put_astray(Draft { position: 5 * UNIT, ..builder.next(0, 100) });
    assert_unit_damage(&builder.examine(), 0, 5, Harm::Displaced);
    let mut builder = two_confirmed();
    builder.open(1, Lap(1));
    builder.put_astray(Draft { position: UNIT, ..builder.next(1, 100) });
    assert_unit_damage(&builder.examine(), 1, 1, Harm::Displaced);
}

#[test]
fn a_whole_block_with_a_right_header_at_a_wrong_place_is_misplaced() {
    for (file, position) in [(1, 2 * UNIT), (0, 4 * UNIT)] {
        let mut builder = two_confirmed();
        let range = builder.put_astray(Draft { file, position, lap: Lap(1), ..builder.next(0, 100) });
        let block = builder.images[usize::from(file)][range.clone()].to_vec();
        builder.lose(file, range);
        builder.images[0][2 * UNIT_BYTES..3 * UNIT_BYTES].copy_from_slice(&block);
        assert_unit_damage(&builder.examine(), 0, 2, Harm::Misplaced);
    }
}

#[test]
fn a_misplaced_block_that_an_earlier_epoch_left_is_not_looked_at() {
    let mut builder = two_confirmed();
    let range = builder.put_astray(Draft { position: 4 * UNIT, lap: Lap(1), ..builder.next(0, 100) });
    let block = builder.images[0][range.clone()].to_vec();
    builder.lose(0, range);
    builder.images[0][6 * UNIT_BYTES..7 * UNIT_BYTES].copy_from_slice(&block);
    assert_unit_damage(&builder.examine(), 0, 6, Harm::Misplaced);
    builder.superblock.epoch = builder.superblock.epoch.next();
    assert_sound(&builder.examine(), 1..=2);
}

#[test]
fn a_block_of_a_lap_that_never_began_is_misplaced() {
    let mut builder = two_confirmed();
    builder.put_astray(Draft { lap: Lap(2), ..builder.next(0, 100) });
    assert_unit_damage(&builder.examine(), 0, 2, Harm::Misplaced);
}

#[test]
fn blocks_of_an_earlier_lap_are_ignored_and_so_is_what_is_left_of_them() {
    let mut builder = two_confirmed();
    builder.open(1, Lap(2));
    for position in [0, 3 * UNIT, 9 * UNIT] {
        builder.put_astray(Draft { position, payload_bytes: 9000, lap: Lap(1), ..builder.next(1, 100) });
    }
    let recovery = builder.examine();
    assert_sound(&recovery, 1..=2);
    assert_eq!(recovery.cuts, []);
    builder.append(1, 1);
    assert_sound(&builder.examine(), 1..=3);
}

#[test]
fn a_block_of_an_older_epoch_is_stale_also_where_the_next_one_must_stand() {
    let mut builder = two_confirmed();
    builder.put_astray(Draft { epoch: Epoch(4), ..builder.next(0, 100) });
    let recovery = builder.examine();
    assert_sound(&recovery, 1..=2);
    assert_eq!(recovery.cuts, []);
}

#[test]
fn a_block_of_an_epoch_that_no_superblock_announced_is_damage() {
    let mut builder = two_confirmed();
    builder.put_astray(Draft { epoch: Epoch(6), ..builder.next(0, 100) });
    assert_unit_damage(&builder.examine(), 0, 2, Harm::SuperblockBehind);
}

#[test]
fn a_block_behind_a_clean_end_is_damage_and_nothing_there_is_not() {
    let mut builder = two_confirmed();
    builder.superblock.clean = true;
    assert_sound(&builder.examine(), 1..=2);
    builder.append(0, 1);
    assert_unit_damage(&builder.examine(), 0, 2, Harm::AfterCleanEnd);
}

#[test]
fn garbage_behind_a_clean_end_is_damage() {
    let mut builder = two_confirmed();
    builder.superblock.clean = true;
    builder.images[0][2 * UNIT_BYTES..3 * UNIT_BYTES].fill(0xee);
    assert_unit_damage(&builder.examine(), 0, 2, Harm::Garbage);
}

#[test]
fn an_unreadable_unit_at_the_tail_is_damage_and_not_cut() {
    for unit in [2, 5, 15] {
        let mut builder = two_confirmed();
        builder.unreadable[0].push(Position(unit * UNIT));
        let recovery = builder.examine();
        assert_unit_damage(&recovery, 0, unit, Harm::Unreadable);
        assert_eq!(recovery.cuts, []);
    }
    let mut builder = two_confirmed();
    builder.put(builder.next(0, 5000));
    builder.unreadable[0].push(Position(3 * UNIT));
    assert_unit_damage(&builder.examine(), 0, 2, Harm::Unreadable);
}

#[test]
fn a_next_block_that_continues_another_one_is_damage() {
    let mut builder = two_confirmed();
    builder.put_astray(Draft { previous: Chain(9), ..builder.next(0, 100) });
    assert_unit_damage(&builder.examine(), 0, 2, Harm::ChainBroken);
}

#[test]
fn a_second_block_with_an_accepted_number_is_damage() {
    let mut builder = two_confirmed();
    let third = builder.next(0, 100);
    builder.put(third);
    builder.put_astray(Draft { position: 6 * UNIT, ..third });
    assert_unit_damage(&builder.examine(), 0, 6, Harm::DuplicateSequence);
}

#[test]
fn garbage_on_a_first_lap_is_cut_within_the_window_and_damage_beyond_it() {
    let mut builder = Builder::new(2, 32 * 1024);
    builder.append(0, 1);
    builder.confirm();
    builder.images[0][7 * UNIT_BYTES..].fill(0xee);
    let recovery = builder.examine();
    assert_sound(&recovery, 1..=1);
    assert_eq!(cuts(&recovery), [(0, 7, None)]);

    let window = BLOCKS_IN_FLIGHT_MAX * crate::limits::BLOCK_BYTES_MAX;
    let mut builder = Builder::new(2, (window + 64 * 1024) as u64);
    builder.append(0, 1);
    builder.confirm();
    let beyond = window + UNIT_BYTES;
    builder.images[0][beyond..beyond + UNIT_BYTES].fill(0xee);
    let recovery = builder.examine();
    assert_unit_damage(&recovery, 0, (beyond / UNIT_BYTES) as u64, Harm::Garbage);
}

#[test]
fn garbage_on_a_later_lap_is_stale() {
    let mut builder = two_confirmed();
    builder.open(1, Lap(2));
    builder.images[1].fill(0xee);
    let recovery = builder.examine();
    assert_sound(&recovery, 1..=2);
    assert_eq!(recovery.cuts, []);
}

#[test]
fn what_stands_behind_the_end_of_a_sealed_file_or_in_a_free_one_is_not_looked_at() {
    let mut builder = two_confirmed();
    builder.seal(0);
    builder.images[0][2 * UNIT_BYTES..].fill(0xee);
    builder.unreadable[0].push(Position(4 * UNIT));
    builder.images[1].fill(0xee);
    assert_sound(&builder.examine(), 1..=2);
}

#[test]
fn a_window_of_blocks_torn_in_any_order_is_cut_back_to_the_last_whole_one() {
    for lost in 0u32..16 {
        let mut builder = two_confirmed();
        let ranges: Vec<_> = (0..4).map(|_| builder.put(Draft { durable: 2, ..builder.next(0, 5000) })).collect();
        for (bit, range) in ranges.into_iter().enumerate().filter(|(bit, _)| lost & (1 << bit) != 0) {
            builder.images[0][range.start + 128 + bit..range.end].fill(0);
        }
        let whole = u64::from(lost.trailing_zeros().min(4));
        let recovery = builder.examine();
        assert_sound(&recovery, 1..=2 + whole);
        assert_eq!(recovery.cuts.len() as u64, 4 - whole, "lost {lost:04b}: {:?}", recovery.cuts);
    }
}

#[test]
fn a_missing_block_that_a_manifest_says_was_durable_is_damage_at_once() {
    let mut builder = Builder::new(2, 32 * 1024);
    builder.append(0, 3);
    assert_sound(&builder.examine(), 1..=3);
    let told = |durable| Told { included: Sequence(0), durable: Sequence(durable) };
    assert_sound(&examine(&builder.superblock, told(3), &builder.images()), 1..=3);
    assert_missing(&examine(&builder.superblock, told(4), &builder.images()), 4, 4);
    let last = 2 * UNIT_BYTES;
    builder.lose(0, last..last + UNIT_BYTES);
    assert_sound(&builder.examine(), 1..=2);
    assert_missing(&examine(&builder.superblock, told(3), &builder.images()), 3, 3);
    let recovery = examine(&builder.superblock, told(3), &builder.images());
    let left = crate::journal::recovery::salvage(&builder.superblock, told(3), &builder.images(), &recovery).unwrap();
    assert_eq!((left.last_sequence, left.lost), (Sequence(3), vec![(Sequence(3), Sequence(3))]));
}
