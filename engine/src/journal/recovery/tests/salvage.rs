//! What is left of a damaged journal.

use super::*;

/// Ten blocks of a unit each in two files, eight of them confirmed; each states what was durable before it.
fn ten_blocks() -> Builder {
    let mut builder = Builder::new(3, 64 * 1024);
    for file in [0, 1] {
        if file == 1 {
            builder.confirm();
            builder.seal(0);
            builder.open(1, Lap(1));
        }
        for _ in 0..5 {
            let durable = builder.next_sequence.saturating_sub(1);
            builder.put(Draft { durable, ..builder.next(file, 100) });
        }
    }
    builder
}

fn damage(builder: &mut Builder, block: u64) {
    let (file, unit) = if block <= 5 { (0, block - 1) } else { (1, block - 6) };
    let at = usize::try_from(unit * UNIT).unwrap();
    builder.images[file][at + 2000] ^= 1;
    builder.images[file][at + 140] ^= 1;
}

fn left(builder: &Builder, included: u64) -> Result<Salvage, SalvageError> {
    let recovery = builder.examine_behind(included);
    salvage(&builder.superblock, Told::by(Sequence(included)), &builder.images(), &recovery)
}

fn kept(salvage: &Salvage) -> Vec<u64> {
    salvage.blocks.iter().map(|block| block.sequence.0).collect()
}

#[test]
fn blocks_around_a_damaged_one_are_left_and_it_is_named() {
    let mut builder = ten_blocks();
    [3, 7, 8].into_iter().for_each(|block| damage(&mut builder, block));
    let left = left(&builder, 0).unwrap();
    assert_eq!(kept(&left), [1, 2, 4, 5, 6, 9, 10]);
    assert_eq!(left.lost, [(Sequence(3), Sequence(3)), (Sequence(7), Sequence(8))]);
    assert_eq!((left.last_sequence, left.last_chain), (Sequence(10), builder.chain));
}

#[test]
fn what_the_manifest_includes_is_not_lost_when_its_block_is() {
    let mut builder = ten_blocks();
    damage(&mut builder, 3);
    let left = left(&builder, 4).unwrap();
    assert_eq!((kept(&left), left.lost), (vec![1, 2, 4, 5, 6, 7, 8, 9, 10], vec![]));
}

#[test]
fn blocks_of_a_file_that_is_gone_are_lost_and_the_end_of_the_journal_is_unknown() {
    for (gone, lost) in [(0, (1, 5)), (1, (6, 9))] {
        let mut builder = ten_blocks();
        let mut recovery = builder.examine();
        let kind = crate::io::DiskErrorKind::NotFound;
        let operation = crate::io::DiskOperation::Open;
        let error = DiskError { operation, path: "journal".into(), position: None, kind, detail: String::new() };
        let file = Some(FileIndex(gone));
        recovery.damage.push(Damage { file, position: None, wrong: Wrong::File(error) });
        builder.superblock.confirmed_sequence = builder.superblock.confirmed_sequence.max(Sequence(9));
        let images: Vec<FileImage> = builder.images().into_iter().filter(|image| image.file.0 != gone).collect();
        let left = salvage(&builder.superblock, Told::by(Sequence(0)), &images, &recovery).unwrap();
        assert_eq!(left.lost, [(Sequence(lost.0), Sequence(lost.1))]);
        assert!(left.end_is_unknown, "who damaged this may have taken more");
        assert!(left.lost_bytes >= 5 * UNIT);
    }
}

#[test]
fn behind_the_end_of_a_journal_that_was_closed_in_order_nothing_can_be_lost() {
    let mut builder = ten_blocks();
    builder.confirm();
    builder.superblock.files[1].first_sequence = Sequence(6);
    builder.superblock.clean = true;
    let mut recovery = builder.examine();
    let (kind, operation) = (crate::io::DiskErrorKind::NotFound, crate::io::DiskOperation::Open);
    let error = DiskError { operation, path: "journal".into(), position: None, kind, detail: String::new() };
    recovery.damage.push(Damage { file: Some(FileIndex(1)), position: None, wrong: Wrong::File(error) });
    let images: Vec<FileImage> = builder.images().into_iter().filter(|image| image.file.0 != 1).collect();
    let left = salvage(&builder.superblock, Told::by(Sequence(0)), &images, &recovery).unwrap();
    assert_eq!((left.lost, left.end_is_unknown), (vec![(Sequence(6), Sequence(10))], false));
    assert_eq!(left.lost_bytes, 5 * UNIT, "the confirmed bytes of that file");
}

#[test]
fn a_block_ahead_of_a_missing_one_is_taken_because_it_may_have_been_acknowledged() {
    let mut builder = ten_blocks();
    damage(&mut builder, 2);
    for block in [7, 8, 9, 10] {
        let at = usize::try_from((block - 6) * UNIT).unwrap();
        builder.lose(1, at..at + UNIT_BYTES);
    }
    builder.put(Draft { sequence: 8, position: 2 * UNIT, durable: 6, ..builder.next(1, 100) });
    let left = left(&builder, 0).unwrap();
    assert_eq!(kept(&left), [1, 3, 4, 5, 6, 8]);
    let gone = [2, 7].map(|block| (Sequence(block), Sequence(block)));
    assert_eq!((left.lost, left.last_sequence), (gone.to_vec(), Sequence(8)));
}

#[test]
fn what_cannot_be_read_files_that_were_swapped_and_two_histories_are_refused() {
    let mut unreadable = ten_blocks();
    damage(&mut unreadable, 2);
    unreadable.unreadable[0].push(Position(3 * UNIT));
    let file = FileIndex(0);
    assert_eq!(left(&unreadable, 0).unwrap_err(), SalvageError::Unreadable { file, position: Position(3 * UNIT) });

    let mut swapped = ten_blocks();
    swapped.images.swap(0, 1);
    assert_eq!(left(&swapped, 0).unwrap_err(), SalvageError::Swapped { file, of: FileIndex(1) });

    let mut behind = ten_blocks();
    behind.superblock.epoch = Epoch(EPOCH.0 - 1);
    let (found, known) = (EPOCH, Epoch(EPOCH.0 - 1));
    let position = Position(0);
    assert_eq!(left(&behind, 0).unwrap_err(), SalvageError::SuperblockBehind { file, position, found, known });

    let mut mixed = ten_blocks();
    let draft = Draft { sequence: 8, durable: 7, position: 2 * UNIT, previous: Chain(77), ..mixed.next(1, 100) };
    mixed.put_astray(draft);
    assert_eq!(left(&mixed, 0).unwrap_err(), SalvageError::Histories(Sequence(8)));
}

#[test]
fn blocks_that_a_later_epoch_put_behind_its_begin_are_not_taken() {
    let mut builder = ten_blocks();
    damage(&mut builder, 3);
    builder.superblock.epoch = EPOCH.next();
    builder.superblock.epoch_first_sequence = Sequence(9);
    builder.superblock.confirmed_sequence = Sequence(8);
    let left = left(&builder, 0).unwrap();
    assert_eq!(kept(&left), [1, 2, 4, 5, 6, 7, 8]);
    assert_eq!(left.last_sequence, Sequence(8));
}
