//! New ids.

use proptest::prelude::*;

use crate::limits::PRODUCER_ID_CHUNK;
use crate::model::{ProducerId, Sequence, ShardId};
use crate::producer::{MintError, Minted, PRODUCER_COUNTER_MAX, PRODUCER_SHARD_MAX, ProducerIdMint};

fn mint(shard: u16) -> ProducerIdMint {
    ProducerIdMint::new(ShardId(shard)).unwrap()
}

#[test]
fn mint_asks_for_a_reservation_before_its_first_id_and_behind_each_chunk() {
    let mut mint = mint(3);
    for chunk in 0..3 {
        let up_to = (chunk + 1) * PRODUCER_ID_CHUNK;
        assert_eq!(mint.next(), Minted::NeedsReservation { up_to });
        assert_eq!(mint.next(), Minted::NeedsReservation { up_to });
        mint.reserved(up_to, Sequence(100 + chunk));
        for counter in chunk * PRODUCER_ID_CHUNK..up_to {
            let id = ProducerId(3 << 48 | counter);
            assert_eq!(mint.next(), Minted::Id { id, depends_on: Sequence(100 + chunk) });
        }
    }
}

#[test]
fn mint_goes_on_behind_the_reservation_after_a_restart() {
    let mut before = mint(0);
    before.reserved(PRODUCER_ID_CHUNK, Sequence(1));
    before.next();
    let mut bytes = Vec::new();
    before.encode(&mut bytes);
    assert_eq!(bytes, PRODUCER_ID_CHUNK.to_le_bytes());
    let mut after = ProducerIdMint::decode(ShardId(0), &mut &bytes[..]).unwrap();
    assert_eq!(after.next(), Minted::NeedsReservation { up_to: 2 * PRODUCER_ID_CHUNK });
    after.reserved(2 * PRODUCER_ID_CHUNK, Sequence(2));
    assert_eq!(after.next(), Minted::Id { id: ProducerId(PRODUCER_ID_CHUNK), depends_on: Sequence(2) });
}

#[test]
fn restoring_an_older_reservation_never_goes_back() {
    let mut mint = mint(0);
    mint.restore(5000).unwrap();
    mint.restore(4000).unwrap();
    assert_eq!(mint.reserved_end(), 5000);
    assert_eq!(mint.next(), Minted::NeedsReservation { up_to: 5000 + PRODUCER_ID_CHUNK });
}

#[test]
fn last_chunk_is_cut_to_the_last_counter_and_then_the_mint_is_exhausted() {
    let mut mint = mint(32_767);
    mint.restore(PRODUCER_COUNTER_MAX - 1).unwrap();
    assert_eq!(mint.next(), Minted::NeedsReservation { up_to: PRODUCER_COUNTER_MAX });
    mint.reserved(PRODUCER_COUNTER_MAX, Sequence(1));
    let id = ProducerId(i64::MAX.cast_unsigned());
    assert_eq!(mint.next(), Minted::Id { id, depends_on: Sequence(1) });
    assert_eq!(mint.next(), Minted::Exhausted);
}

#[test]
fn shards_whose_ids_would_be_negative_are_refused() {
    assert_eq!(ProducerIdMint::new(ShardId(32_768)), Err(MintError::Shard { shard: ShardId(32_768) }));
}

#[test]
fn state_that_makes_no_sense_is_refused() {
    let beyond = (PRODUCER_COUNTER_MAX + 1).to_le_bytes();
    let error = ProducerIdMint::decode(ShardId(0), &mut &beyond[..]).unwrap_err();
    assert_eq!(error, MintError::Reservation { up_to: PRODUCER_COUNTER_MAX + 1 });
    let error = ProducerIdMint::decode(ShardId(0), &mut &beyond[..7]).unwrap_err();
    assert_eq!(error, MintError::CutOff { needed_bytes: 8, found_bytes: 7 });
}

#[test]
#[should_panic(expected = "reserved already")]
fn reserving_what_is_reserved_is_a_broken_invariant() {
    let mut mint = mint(0);
    mint.restore(5000).unwrap();
    mint.reserved(5000, Sequence(1));
}

proptest! {
    #[test]
    fn any_reservation_survives_its_encoding_and_one_beyond_all_counters_is_refused(
        up_to in prop_oneof![0..=PRODUCER_COUNTER_MAX, any::<u64>()], shard in 0..=PRODUCER_SHARD_MAX.0,
    ) {
        let decoded = ProducerIdMint::decode(ShardId(shard), &mut &up_to.to_le_bytes()[..]);
        match decoded {
            Ok(mint) => {
                let mut bytes = Vec::new();
                mint.encode(&mut bytes);
                prop_assert_eq!((mint.reserved_end(), &bytes[..]), (up_to, &up_to.to_le_bytes()[..]));
            }
            Err(error) => {
                prop_assert!(up_to > PRODUCER_COUNTER_MAX);
                prop_assert_eq!(error, MintError::Reservation { up_to });
            }
        }
    }
}
