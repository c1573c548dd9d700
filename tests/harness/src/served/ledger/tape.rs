//! Notes beside the events of something else, so that it can be asked what was known when so many had happened.

use super::{Heard, Ledger, Note};
use crate::events::Events;

/// Notes since a moment, each with the count of events when it was taken.
#[derive(Clone, Debug)]
pub struct Tape {
    events: Events,
    before: Box<Ledger>,
    notes: Vec<(u64, Note)>,
}

impl Tape {
    pub(super) fn new(events: Events, before: Ledger) -> Self {
        Self { events, before: Box::new(before), notes: Vec::new() }
    }

    pub(super) fn take(&mut self, note: &Note) {
        self.notes.push((self.events.count(), note.clone()));
    }

    /// What was known when so many events had happened: a sending is noted before anything can follow from it, and an
    /// answer after everything that it rests on.
    pub fn ledger_after(&self, events: u64) -> Ledger {
        let mut ledger = (*self.before).clone();
        let known = self.notes.iter().take_while(|(count, _)| *count <= events);
        known.for_each(|(_, note)| ledger.note(note));
        ledger
    }

    /// How many events had happened when batches were acknowledged or shown.
    pub fn told_after(&self) -> Vec<u64> {
        let is_told =
            |note: &Note| matches!(note, Note::Answered(_, Heard::Stored { .. }) | Note::Shown(_) | Note::Created(_));
        self.notes.iter().filter(|(_, note)| is_told(note)).map(|(count, _)| *count).collect()
    }
}
