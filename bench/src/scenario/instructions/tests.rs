use super::{instructions, state_core};
use crate::cli::{Captured, StateCoreArguments};

#[test]
fn the_last_words_of_callgrind_have_the_number() {
    let said = "==7== Events    : Ir\n==7== Collected : 1234567\n==7==\n==7== I   refs:      1,234,567\n";
    assert_eq!(instructions(said), Some(1_234_567));
    assert_eq!(instructions("==7== nothing"), None);
    assert_eq!(instructions("==7== Collected : many"), None);
}

#[test]
fn both_kinds_of_captures_are_stored() {
    let home = tempfile::tempdir().expect("a directory");
    for captured in Captured::ALL {
        let directory = home.path().join(captured.name());
        state_core::run(&StateCoreArguments { captured, directory, records: 300, batch: 3 }).expect("all are stored");
    }
}
