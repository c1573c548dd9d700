//! The part that a superblock vouches for.

use super::*;

/// Four confirmed blocks; the third takes two units.
fn four_confirmed() -> Builder {
    let mut builder = Builder::new(2, 64 * 1024);
    builder.append(0, 2);
    builder.put(builder.next(0, 5000));
    builder.append(0, 1);
    builder.confirm();
    let file = &mut builder.superblock.files[0];
    (file.first_sequence, file.last_sequence) = (Sequence(1), Sequence(4));
    builder
}

fn confirmed_damage(recovery: &Recovery) -> Vec<(Option<u16>, Option<u64>)> {
    let of = |damage: &Damage| (damage.file.map(|file| file.0), damage.position.map(|position| position.0));
    let confirmed = |damage: &&Damage| matches!(damage.wrong, Wrong::Confirmed(_));
    recovery.damage.iter().filter(confirmed).map(of).collect()
}

#[test]
fn confirmed_blocks_are_accepted_with_their_payloads_and_places() {
    let recovery = four_confirmed().examine();
    assert_sound(&recovery, 1..=4);
    let third = &recovery.blocks[2];
    assert_eq!((third.position, third.bytes.len()), (Position(2 * UNIT), 2 * UNIT_BYTES));
    assert_eq!(third.payload(), Bytes::from(vec![0x5a; 5000]));
    assert_eq!(recovery.tail_file, Some(FileIndex(0)));
    assert_eq!(recovery.cuts, []);
}

#[test]
fn a_flipped_bit_anywhere_in_a_confirmed_block_is_damage_at_that_block() {
    let starts = [0, UNIT, 2 * UNIT, 2 * UNIT, 4 * UNIT];
    let offsets = (0..128).chain([128, 129, 227, 228, 1000, 4095]);
    for at in offsets.flat_map(|offset| (0..5usize).map(move |unit| unit * UNIT_BYTES + offset)) {
        let mut builder = four_confirmed();
        builder.images[0][at] ^= 1 << (at % 8);
        let recovery = builder.examine();
        let found = confirmed_damage(&recovery);
        assert!(found.contains(&(Some(0), Some(starts[at / UNIT_BYTES]))), "byte {at}: {:?}", recovery.damage);
    }
}

#[test]
fn a_confirmed_block_that_is_gone_is_damage_whatever_stands_there() {
    for what in ["virgin", "zeroes", "unreadable", "another block", "an earlier lap"] {
        let mut builder = four_confirmed();
        let unit = UNIT_BYTES..2 * UNIT_BYTES;
        match what {
            "virgin" => builder.lose(0, unit),
            "zeroes" => builder.images[0][unit].fill(0),
            "unreadable" => builder.unreadable[0].push(Position(UNIT)),
            "another block" => builder.images[0].copy_within(0..UNIT_BYTES, UNIT_BYTES),
            _ => {
                let lap = Lap(0);
                builder.put_astray(Draft { position: UNIT, lap, ..builder.next(0, 100) });
            }
        }
        let recovery = builder.examine();
        assert!(confirmed_damage(&recovery).contains(&(Some(0), Some(UNIT))), "{what}: {:?}", recovery.damage);
        assert_missing(&recovery, 2, 2);
        assert_eq!(sequences(&recovery), [1, 3, 4], "{what}: the rest is still known");
    }
}

#[test]
fn the_second_unit_of_a_confirmed_block_is_not_spared() {
    let mut builder = four_confirmed();
    builder.unreadable[0].push(Position(3 * UNIT));
    let recovery = builder.examine();
    assert!(confirmed_damage(&recovery).contains(&(Some(0), Some(2 * UNIT))), "{:?}", recovery.damage);
}

#[test]
fn a_confirmed_block_with_a_wrong_link_number_or_epoch_is_damage() {
    for what in ["link", "number", "epoch"] {
        let mut builder = Builder::new(2, 64 * 1024);
        builder.append(0, 1);
        let right = builder.next(0, 100);
        builder.put(match what {
            "link" => Draft { previous: Chain(1), ..right },
            "number" => Draft { sequence: 3, ..right },
            _ => Draft { epoch: EPOCH.next(), ..right },
        });
        builder.confirm();
        builder.superblock.files[0].first_sequence = Sequence(1);
        let recovery = builder.examine();
        assert!(confirmed_damage(&recovery).contains(&(Some(0), Some(UNIT))), "{what}: {:?}", recovery.damage);
    }
}

#[test]
fn another_last_block_than_the_superblock_names_is_damage() {
    let mut builder = four_confirmed();
    builder.superblock.confirmed_chain = Chain(builder.chain.0 ^ 1);
    assert_eq!(confirmed_damage(&builder.examine()), [(None, None)]);
    let mut builder = four_confirmed();
    builder.superblock.confirmed_sequence = Sequence(5);
    assert_missing(&builder.examine(), 5, 5);
}

#[test]
fn a_gap_that_the_manifest_covers_is_no_damage_and_any_other_is() {
    let mut builder = Builder::new(3, 32 * 1024);
    builder.append(0, 8);
    builder.confirm();
    builder.seal(0);
    builder.open(1, Lap(1));
    builder.append(1, 8);
    builder.confirm();
    builder.seal(1);
    builder.open(2, Lap(1));
    builder.append(2, 2);
    builder.confirm();
    assert_sound(&builder.examine(), 1..=18);
    builder.superblock.files[1] = RingFile { lap: Lap(1), ..RingFile::default() };
    for included in [16, 17, 18] {
        let recovery = builder.examine_behind(included);
        assert_eq!(recovery.damage, [], "behind {included}");
        assert_eq!(sequences(&recovery), (1..=8).chain(17..=18).collect::<Vec<_>>());
    }
    assert_missing(&builder.examine_behind(15), 16, 16);
    assert_missing(&builder.examine_behind(0), 9, 16);
}

#[test]
fn confirmed_blocks_in_freed_files_are_missing_unless_the_manifest_includes_them() {
    let mut builder = Builder::new(2, 32 * 1024);
    builder.append(0, 8);
    builder.confirm();
    builder.superblock.files[0] = RingFile { lap: Lap(1), ..RingFile::default() };
    let recovery = builder.examine_behind(8);
    assert_eq!((recovery.damage.len(), recovery.last_sequence), (0, Sequence(8)));
    assert_eq!(recovery.last_chain, builder.chain);
    assert_missing(&builder.examine_behind(7), 8, 8);
}

#[test]
fn an_image_that_was_not_read_at_all_leaves_its_confirmed_blocks_missing() {
    let builder = four_confirmed();
    let recovery = examine(&builder.superblock, Told::by(Sequence(0)), &[]);
    assert_missing(&recovery, 1, 4);
}
