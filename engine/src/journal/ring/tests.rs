use super::*;
use crate::model::Lap;

const GEOMETRY: Geometry = Geometry { file_count: 3, file_bytes: 32 * 1024, manifest_bytes: 32 * 1024 };

fn file(state: FileUse, lap: u64, confirmed_bytes: u64, first: u64, last: u64) -> RingFile {
    RingFile { state, lap: Lap(lap), confirmed_bytes, first_sequence: Sequence(first), last_sequence: Sequence(last) }
}

fn fresh() -> Ring {
    Ring::restore(GEOMETRY, &[RingFile::default(); 3], None)
}

/// Places a block and makes it durable.
fn write(ring: &mut Ring, bytes: usize, sequence: u64) -> Place {
    let place = ring.place(bytes).unwrap();
    ring.block_durable(place, bytes, Sequence(sequence));
    place
}

fn store(ring: &mut Ring, may_free: impl Fn(FileIndex, &RingFile) -> bool) -> Vec<RingFile> {
    ring.open_spare();
    let files = ring.describe(may_free);
    ring.superblock_durable(&files);
    files
}

#[test]
fn a_file_is_open_only_when_a_superblock_says_so() {
    let mut ring = fresh();
    let place = ring.place(4096).unwrap();
    assert_eq!(place, Place { file: FileIndex(0), lap: Lap(1), position: Position(0) });
    assert!(!ring.is_opened(FileIndex(0)));
    assert!(ring.open_spare());
    let described = ring.describe(|_, _| false);
    assert!(!ring.is_opened(FileIndex(0)), "describing it is not enough");
    ring.superblock_durable(&described);
    assert!(ring.is_opened(FileIndex(0)) && ring.is_opened(FileIndex(1)));
    assert!(!ring.is_opened(FileIndex(2)), "one spare is enough");
    assert!(!ring.open_spare());
}

#[test]
fn a_superblock_from_before_a_file_was_taken_into_use_does_not_open_it() {
    let mut ring = fresh();
    let before = ring.describe(|_, _| false);
    ring.place(4096).unwrap();
    ring.superblock_durable(&before);
    assert!(!ring.is_opened(FileIndex(0)));
    assert!(ring.open_spare());
}

#[test]
fn a_block_that_does_not_fit_goes_to_the_next_file() {
    let mut ring = fresh();
    assert_eq!(ring.place(20 * 1024).unwrap().file, FileIndex(0));
    assert!(!ring.grow(16 * 1024) && ring.grow(4096));
    let place = ring.place(12 * 1024).unwrap();
    assert_eq!((place.file, place.position), (FileIndex(1), Position(0)));
    assert_eq!(ring.place(20 * 1024).unwrap().position, Position(12 * 1024));
    assert_eq!(ring.unused_count(), 1);
    assert_eq!(ring.place(32 * 1024).unwrap().file, FileIndex(2));
    assert_eq!((ring.place(4096), ring.has_room(4096), ring.unused_count()), (None, false, 0));
}

#[test]
fn a_passed_file_is_sealed_when_all_its_blocks_are_durable() {
    let mut ring = fresh();
    let first = ring.place(32 * 1024).unwrap();
    ring.place(4096).unwrap();
    assert_eq!(store(&mut ring, |_, _| true)[0].state, FileUse::Open, "a block is not durable");
    assert_eq!(ring.sealed_files().count(), 0);
    ring.block_durable(first, 32 * 1024, Sequence(1));
    assert_eq!(ring.sealed_files().collect::<Vec<_>>(), [FileIndex(0)]);
    assert_eq!(store(&mut ring, |_, _| false)[0], file(FileUse::Sealed, 1, 32 * 1024, 1, 1));
}

#[test]
fn a_freed_file_comes_back_with_the_next_lap() {
    let mut ring = fresh();
    for sequence in 1..=2 {
        write(&mut ring, 32 * 1024, sequence);
    }
    let active = ring.place(32 * 1024).unwrap();
    let freed = store(&mut ring, |_, file| file.last_sequence <= Sequence(1));
    assert_eq!(freed[0], file(FileUse::Free, 1, 0, 0, 0));
    assert_eq!((freed[1].state, freed[2].state), (FileUse::Sealed, FileUse::Open));
    ring.block_durable(active, 32 * 1024, Sequence(3));
    let place = ring.place(4096).unwrap();
    assert_eq!(place, Place { file: FileIndex(0), lap: Lap(2), position: Position(0) });
    assert!(!ring.is_opened(FileIndex(0)), "the second lap is not announced");
}

#[test]
fn a_restored_ring_goes_on_behind_the_end_of_its_active_file() {
    let files = [file(FileUse::Sealed, 4, 8192, 1, 2), file(FileUse::Open, 3, 12_288, 3, 5), RingFile::default()];
    let mut ring = Ring::restore(GEOMETRY, &files, Some(FileIndex(1)));
    assert_eq!(ring.unused_count(), 1);
    let place = ring.place(4096).unwrap();
    assert_eq!(place, Place { file: FileIndex(1), lap: Lap(3), position: Position(12_288) });
    assert!(ring.is_opened(FileIndex(1)));
    ring.block_durable(place, 4096, Sequence(6));
    assert_eq!(ring.describe(|_, _| false)[1], file(FileUse::Open, 3, 16_384, 3, 6));
    let mut without = Ring::restore(GEOMETRY, &[files[0], files[0], RingFile::default()], None);
    assert_eq!(without.place(4096).unwrap().file, FileIndex(2), "sealed files are never written to");
}

#[test]
fn the_reserve_is_kept_from_captures_and_counts_unused_files() {
    let mut ring = fresh();
    let reserve = GEOMETRY.reserve_bytes();
    assert!(ring.has_room_for_capture(32 * 1024));
    ring.place(32 * 1024).unwrap();
    ring.place(32 * 1024).unwrap();
    assert!(ring.has_room_for_capture(usize::try_from(GEOMETRY.file_bytes - reserve).unwrap()));
    assert!(!ring.has_room_for_capture(usize::try_from(GEOMETRY.file_bytes - reserve + 4096).unwrap()));
    ring.place(usize::try_from(GEOMETRY.file_bytes - reserve).unwrap()).unwrap();
    assert!(!ring.has_room_for_capture(4096) && ring.has_room(usize::try_from(reserve).unwrap()));
}

#[test]
#[should_panic(expected = "blocks of a file become durable in order")]
fn blocks_of_a_file_that_become_durable_out_of_order_are_a_broken_invariant() {
    let mut ring = fresh();
    ring.place(4096).unwrap();
    let second = ring.place(4096).unwrap();
    ring.block_durable(second, 4096, Sequence(2));
}

#[test]
fn used_bytes_are_those_of_filled_files_and_of_the_front_of_the_active_one_until_they_are_free() {
    let mut ring = fresh();
    assert_eq!(ring.used_bytes(), 0);
    write(&mut ring, 20 * 1024, 1);
    assert_eq!(ring.used_bytes(), 20 * 1024);
    assert!(ring.grow(4096));
    assert_eq!(ring.used_bytes(), 24 * 1024, "a block that grows takes room at once");
    let mut ring = fresh();
    write(&mut ring, 20 * 1024, 1);
    store(&mut ring, |_, _| false);
    write(&mut ring, 16 * 1024, 2);
    assert_eq!(ring.used_bytes(), (32 + 16) * 1024, "what is left of a filled file cannot be used either");
    store(&mut ring, |_, _| false);
    store(&mut ring, |file, _| file == FileIndex(0));
    assert_eq!(ring.used_bytes(), 16 * 1024);
}
