use super::*;
use crate::journal::decision::Harm;
use crate::journal::recovery::Wrong;

#[test]
fn refused_journal_names_a_file_and_a_byte_also_if_blocks_are_missing() {
    let missing = Wrong::Missing { first: Sequence(316), last: Sequence(318) };
    let missing = Damage { file: None, position: None, wrong: missing };
    let wrong = Wrong::Unit(Harm::ConfirmedBlockLost);
    let shown = Damage { file: Some(FileIndex(3)), position: Some(Position(65536)), wrong };
    let text = |damage: &[Damage]| OpenError::Journal { shard: ShardId(0), damage: damage.to_vec() }.to_string();
    let both = text(&[missing.clone(), shown.clone()]);
    assert!(both.contains("2 places") && both.contains(&shown.to_string()), "{both}");
    assert!(text(std::slice::from_ref(&missing)).contains(&missing.to_string()));
}
