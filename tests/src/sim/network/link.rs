//! A connection: two directions and what becomes of both.

use std::cell::{Cell, RefCell, RefMut};
use std::task::Waker;

use super::config::Fate;
use super::pipe::Pipe;
use crate::sim::executor::{Process, SimHandle};

/// The side that accepted; the other one connected.
pub(super) const SERVER: usize = 1;

/// What one side knows and has done.
#[derive(Default)]
struct Side {
    /// It is told then that the connection is gone.
    reset_ns: Cell<Option<u64>>,
    /// It takes nothing any more: whoever sends to it is told that the connection is gone.
    is_deaf: Cell<bool>,
    /// Its machine is without power: whatever it does has no effect.
    is_dead: Cell<bool>,
}

/// A connection. Side 0 connected, side 1 accepted; a direction has the number of the side that sends.
pub(super) struct Link {
    pipes: [RefCell<Pipe>; 2],
    sides: [Side; 2],
    process: Process,
}

impl Link {
    pub(super) fn new(process: Process, windows: [usize; 2], fates: [Option<Fate>; 2]) -> Self {
        let pipe = |side: usize| RefCell::new(Pipe::new(windows[side], fates[side]));
        Self { pipes: [pipe(0), pipe(1)], sides: Default::default(), process }
    }

    /// Whose the accepting side is.
    pub(super) fn process(&self) -> Process {
        self.process
    }

    /// What a side sends.
    pub(super) fn pipe(&self, from: usize) -> RefMut<'_, Pipe> {
        self.pipes[from].borrow_mut()
    }

    /// Whether a side has been told that the connection is gone.
    pub(super) fn is_reset(&self, side: usize, now_ns: u64) -> bool {
        self.sides[side].reset_ns.get().is_some_and(|reset_ns| reset_ns <= now_ns)
    }

    /// A side waits for something: it goes on when it is told that the connection is gone.
    pub(super) fn wake_when_reset(&self, side: usize, waker: &Waker, executor: &SimHandle) {
        if let Some(reset_ns) = self.sides[side].reset_ns.get() {
            executor.wake_at(reset_ns, waker.clone());
        }
    }

    /// Whether a side takes nothing any more.
    pub(super) fn is_deaf(&self, side: usize) -> bool {
        self.sides[side].is_deaf.get()
    }

    /// Whether what a side does has no effect any more.
    pub(super) fn is_dead(&self, side: usize) -> bool {
        self.sides[side].is_dead.get()
    }

    /// A side takes nothing any more.
    pub(super) fn go_deaf(&self, side: usize) {
        self.sides[side].is_deaf.set(true);
    }

    /// A side is told at an instant that the connection is gone, unless it is told before.
    pub(super) fn reset(&self, side: usize, at_ns: u64, executor: &SimHandle) {
        if self.is_dead(side) {
            return;
        }
        let told_ns = &self.sides[side].reset_ns;
        told_ns.set(Some(told_ns.get().map_or(at_ns, |before_ns| before_ns.min(at_ns))));
        self.pipe(1 - side).wake_reader(at_ns, executor);
        self.pipe(side).wake_writer_at(at_ns, executor);
    }

    /// The machine of a side loses its power.
    pub(super) fn fall_silent(&self, side: usize) {
        self.sides[side].is_dead.set(true);
        self.pipe(side).fall_silent();
        self.pipe(1 - side).fall_silent();
    }

    /// What was drawn for it does not come.
    pub(super) fn forget_fate(&self) {
        self.pipes.iter().for_each(|pipe| pipe.borrow_mut().fate = None);
    }
}
