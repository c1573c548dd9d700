//! A coordinator as bytes, for the manifest. Little-endian.
//!
//! Count u32 of transactional ids, and for each: name, producer u64, epoch u16, time-out ms u32, when it was last touched
//! u64; the last transaction, a u8 0, or 1 and producer u64, epoch u16, outcome u8; the one that is going on, a u8 0, or 1
//! and since when u64 and its participants. Then count u32 of decided transactions that are not settled, and for each:
//! producer u64, epoch u16, outcome u8, its participants. Participants are their count u16 and for each shard u16 and a
//! participant as in [`transaction`](crate::format::control::transaction).

use std::collections::BTreeMap;

use bytes::{Buf, BufMut};

use super::{
    Ended, ID_BYTES, Ongoing, Participants, State, TransactionCoordinator, UNSETTLED_BYTES, Unsettled,
    participant_bytes,
};
use crate::format::control::transaction::{
    Participant, RecordFault, get_key, get_outcome, get_timeout_ms, get_transactional_id, put_key, put_name,
    put_outcome,
};
use crate::limits::TRANSACTION_PARTICIPANTS_MAX;
use crate::model::{Realtime, ShardId};

/// Why bytes are not a coordinator. They were checksummed before: it is damage, or another format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transactional ids: {0}")]
pub struct CoordinatorDecodeError(#[from] RecordFault);

impl TransactionCoordinator {
    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32_le(u32::try_from(self.ids.len()).expect("bounded by the manifest"));
        for (name, state) in &self.ids {
            put_name(name.as_str(), out);
            put_key(state.current, out);
            out.put_u32_le(state.timeout_ms);
            out.put_u64_le(state.touched.0);
            out.put_u8(u8::from(state.last.is_some()));
            if let Some(Ended { transaction, outcome }) = state.last {
                put_key(transaction, out);
                put_outcome(outcome, out);
            }
            out.put_u8(u8::from(state.ongoing.is_some()));
            if let Some(Ongoing { since, participants }) = &state.ongoing {
                out.put_u64_le(since.0);
                put_participants(participants, out);
            }
        }
        out.put_u32_le(u32::try_from(self.unsettled.len()).expect("bounded by the manifest"));
        for (transaction, unsettled) in &self.unsettled {
            put_key(*transaction, out);
            put_outcome(unsettled.outcome, out);
            put_participants(&unsettled.participants, out);
        }
    }

    /// Reads what [`TransactionCoordinator::encode`] wrote, all of `bytes`.
    ///
    /// # Errors
    /// If it wrote something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, CoordinatorDecodeError> {
        Ok(Self::read(bytes)?)
    }

    fn read(bytes: &[u8]) -> Result<Self, RecordFault> {
        let mut rest = bytes;
        let buf = &mut rest;
        let mut found = Self::default();
        for _ in 0..buf.try_get_u32_le()? {
            let (name, current, timeout_ms) = (get_transactional_id(buf)?, get_key(buf)?, get_timeout_ms(buf)?);
            let touched = Realtime(buf.try_get_u64_le()?);
            let last = match buf.try_get_u8()? {
                0 => None,
                1 => Some(Ended { transaction: get_key(buf)?, outcome: get_outcome(buf)? }),
                _ => return Err(RecordFault::Impossible("last transaction")),
            };
            let ongoing = match buf.try_get_u8()? {
                0 => None,
                1 => {
                    let since = Realtime(buf.try_get_u64_le()?);
                    Some(Ongoing { since, participants: get_participants(buf)? })
                }
                _ => return Err(RecordFault::Impossible("transaction")),
            };
            let of_participants =
                |ongoing: &Ongoing| UNSETTLED_BYTES + ongoing.participants.keys().map(participant_bytes).sum::<usize>();
            found.encoded_bytes += ID_BYTES + name.as_str().len() + ongoing.as_ref().map_or(0, of_participants);
            let rises = found.ids.last_key_value().is_none_or(|(last, _)| *last < name);
            let is_new = found.by_producer.insert(current.producer, name.clone()).is_none();
            if !rises || !is_new {
                return Err(RecordFault::Impossible("order of transactional ids"));
            }
            found.ids.insert(name, State { current, timeout_ms, ongoing, last, touched });
        }
        for _ in 0..buf.try_get_u32_le()? {
            let (transaction, outcome) = (get_key(buf)?, get_outcome(buf)?);
            let participants = get_participants(buf)?;
            found.encoded_bytes += UNSETTLED_BYTES + participants.keys().map(participant_bytes).sum::<usize>();
            if found.unsettled.last_key_value().is_some_and(|(last, _)| *last >= transaction) {
                return Err(RecordFault::Impossible("order of transactions"));
            }
            found.unsettled.insert(transaction, Unsettled { outcome, participants });
        }
        if !rest.is_empty() {
            return Err(RecordFault::Longer);
        }
        let mut again = Vec::with_capacity(bytes.len());
        found.encode(&mut again);
        if again == bytes { Ok(found) } else { Err(RecordFault::Impossible("order of participants")) }
    }
}

fn put_participants(participants: &Participants, out: &mut Vec<u8>) {
    out.put_u16_le(u16::try_from(participants.len()).expect("bounded by the limits"));
    for (participant, shard) in participants {
        out.put_u16_le(shard.0);
        participant.put(out);
    }
}

fn get_participants(buf: &mut &[u8]) -> Result<Participants, RecordFault> {
    let count = usize::from(buf.try_get_u16_le()?);
    if count > TRANSACTION_PARTICIPANTS_MAX {
        return Err(RecordFault::Impossible("number of participants"));
    }
    let mut participants = BTreeMap::new();
    for _ in 0..count {
        let (shard, participant) = (ShardId(buf.try_get_u16_le()?), Participant::get(buf)?);
        if participants.insert(participant, shard).is_some() {
            return Err(RecordFault::Impossible("participant twice"));
        }
    }
    Ok(participants)
}
