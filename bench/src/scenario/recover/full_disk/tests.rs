use std::cell::Cell;
use std::io::ErrorKind;

use florin_engine::io::UNIT_BYTES;

use super::take_all;

const UNIT: u64 = UNIT_BYTES as u64;

#[test]
fn a_disk_is_taken_to_its_last_unit_and_others_may_take_some_of_it_meanwhile() {
    for (free, there) in [(1000, 1000), (1000, 613), (1000, 0), (0, 0), (10, 4000)] {
        let taken = Cell::new(0);
        let allocate = |position: u64, bytes: u64| {
            assert_eq!(position, taken.get() * UNIT, "pieces lie behind each other");
            let units = bytes / UNIT;
            assert!(units > 0 && bytes.is_multiple_of(UNIT));
            if taken.get() + units > there {
                return Err(ErrorKind::StorageFull.into());
            }
            taken.set(taken.get() + units);
            Ok(())
        };
        assert_eq!(take_all(free * UNIT, allocate).unwrap(), there * UNIT);
    }
}

#[test]
fn another_error_ends_it_and_an_interruption_does_not() {
    let calls = Cell::new(0);
    let allocate = |_, _| {
        calls.set(calls.get() + 1);
        let kinds = [ErrorKind::Interrupted, ErrorKind::Unsupported];
        Err(kinds[calls.get() - 1].into())
    };
    assert_eq!(take_all(UNIT, allocate).unwrap_err().kind(), ErrorKind::Unsupported);
}
