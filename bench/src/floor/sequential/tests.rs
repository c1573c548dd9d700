use std::os::unix::fs::FileExt;

use super::{FILE_NAME, PIECE_BYTES, SequentialFloor};

#[test]
fn a_file_is_read_in_full_by_as_many_threads_as_are_asked_for() {
    // Where this program was built is on a disk.
    let own = std::env::current_exe().unwrap();
    let home = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
    let floor = SequentialFloor::prepare(home.path(), 3 * PIECE_BYTES as u64 + 1).unwrap();
    let path = home.path().join(FILE_NAME);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 4 * PIECE_BYTES as u64, "whole pieces");
    for depth in [1, 4, 9] {
        assert!(floor.mb_per_second(depth, None).unwrap() > 0.0);
    }
    assert!(SequentialFloor::prepare(home.path(), 1).is_err(), "what is there already is not overwritten");
    // A file that is shorter than it was is not passed over.
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(2 * PIECE_BYTES as u64).unwrap();
    file.write_all_at(&[1], 0).unwrap();
    let error = format!("{:#}", floor.mb_per_second(2, None).unwrap_err());
    assert!(error.contains("stopped after 0"), "{error}");
}
