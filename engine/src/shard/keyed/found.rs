//! How far the look-up of a batch's keys has come.

use std::rc::Rc;

use crate::key::{Known, RecordKey};
use crate::key_run::look_up::{KeyFound, KeyPiece};
use crate::limits::{KEY_LOOK_AHEAD, KEY_LOOKS_PER_TURN, KEY_PIECES_HELD_BYTES_MAX};
use crate::model::Realtime;
use crate::partition::keys::{KeyLookUp, KeyPieces, PartitionKeys};

/// How far a look-up has come.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The keys that are looked for; none if a job must find them in a compressed batch first.
    pub(super) records: Option<Vec<RecordKey>>,
    /// What is known of each, as far as that was found.
    known: Vec<Option<Option<Known>>>,
    /// What was read for it, held on to until it has its answer.
    held: Vec<Rc<KeyFound>>,
    held_bytes: usize,
    /// It needs more than may be held on to: one key after the other then.
    one_by_one: bool,
    /// All keys before this one were found.
    first_unknown: usize,
}

/// What came of a look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// Everything is known.
    All,
    /// This must be read.
    Needs(Vec<KeyPiece>),
    /// There are more keys than are looked for at once: it goes on when others had their turn.
    GoesOn,
}

impl Found {
    /// These are looked for.
    pub(super) fn of(records: Vec<RecordKey>) -> Self {
        Self { known: vec![None; records.len()], records: Some(records), ..Self::default() }
    }

    /// Looks for what is not known yet, but not for too many keys at once. `Err`: nobody can tell.
    pub(super) fn look(
        &mut self,
        keys: &PartitionKeys,
        expired_before: Option<Realtime>,
        pieces: &KeyPieces,
    ) -> Result<Looked, String> {
        let records = self.records.as_deref().expect("keys are found before they are looked up");
        let ahead = if self.one_by_one { 1 } else { KEY_LOOK_AHEAD };
        let (mut needs, mut needing_count, mut has_found, mut looks, mut goes_on) = (Vec::new(), 0, false, 0, false);
        self.first_unknown += self.known[self.first_unknown..].iter().take_while(|known| known.is_some()).count();
        let from = self.first_unknown;
        let all = records[from..].iter().zip(&mut self.known[from..]);
        for (record, known) in all.filter(|(_, known)| known.is_none()) {
            if looks == KEY_LOOKS_PER_TURN {
                goes_on = true;
                break;
            }
            looks += 1;
            match keys.look_up(record.key, expired_before, pieces) {
                KeyLookUp::New => *known = Some(None),
                KeyLookUp::Known(found) => *known = Some(Some(found)),
                KeyLookUp::Unanswerable(what) => return Err(what),
                KeyLookUp::Needs(piece) => {
                    if !needs.contains(&piece) {
                        needs.push(piece);
                    }
                    needing_count += 1;
                    if needing_count == ahead {
                        break;
                    }
                    continue;
                }
            }
            has_found = true;
        }
        let is_too_much = !self.one_by_one && self.held_bytes > KEY_PIECES_HELD_BYTES_MAX;
        if is_too_much || self.one_by_one && has_found {
            // What the first that is still unknown needs is read for it alone.
            self.held.clear();
            self.held_bytes = 0;
        }
        if is_too_much {
            self.one_by_one = true;
            needs.truncate(1);
        }
        match needs.is_empty() {
            true if goes_on => Ok(Looked::GoesOn),
            true => Ok(Looked::All),
            false => Ok(Looked::Needs(needs)),
        }
    }

    /// What is known of each key, once all was found.
    pub(super) fn all(&self) -> Vec<Option<Known>> {
        self.known.iter().map(|known| known.expect("everything was found")).collect()
    }

    /// Holds on to what was read for it.
    pub(super) fn hold(&mut self, found: Rc<KeyFound>) {
        self.held_bytes += found.memory_bytes();
        self.held.push(found);
    }
}
