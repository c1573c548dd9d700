//! Everything comes to its end once faults stop: starts, stops, requests, retries and reads.

use std::cell::Cell;

use crate::sim::Stop;
use crate::wire::run::World;
use crate::wire::server::{SECOND_NS, Server};
use crate::world::checkers::{Checked, violation};

/// Virtual time in which a server without faults comes to the end of anything.
const PATIENCE_NS: u64 = 300 * SECOND_NS;
/// The same for a client that reads everything through a network that lets one byte through at a time.
const READING_PATIENCE_NS: u64 = 5 * PATIENCE_NS;
/// Events between two looks at what the server holds.
const LOOK_EVENTS: u64 = 16;

impl World {
    /// Runs until something holds, and looks meanwhile whether every promise does.
    pub(in crate::wire) fn run_until(&self, holds: impl Fn(&Server) -> bool, what: &str) -> Checked {
        self.run_within(PATIENCE_NS, holds, what)
    }

    /// The same for one client that asks for much.
    pub(in crate::wire) fn run_until_read(&self, is_read: impl Fn() -> bool, what: &str) -> Checked {
        self.run_within(READING_PATIENCE_NS, |_| is_read(), what)
    }

    fn run_within(&self, patience_ns: u64, holds: impl Fn(&Server) -> bool, what: &str) -> Checked {
        let (ground, server) = (&self.ground, self.server());
        let give_up_ns = self.executor.now_ns() + patience_ns;
        let events = Cell::new(0_u64);
        let stop = self.executor.run_until(|| {
            events.set(events.get() + 1);
            if events.get().is_multiple_of(LOOK_EVENTS)
                && let Err(violation) = ground.is_bounded(server)
            {
                ground.note(violation);
            }
            holds(server) || ground.is_broken() || self.executor.now_ns() > give_up_ns
        });
        if let Some(violation) = ground.violation() {
            return Err(violation);
        }
        if stop == Stop::Stalled || !holds(server) {
            return violation("progress", what.to_owned());
        }
        Ok(())
    }
}
