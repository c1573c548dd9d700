//! Who hears of every single batch of a load.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};
use florin_engine::model::{Offset, PartitionId};

use crate::client::reader::{Delivered, Deliveries};

/// The time that counts, and by what an operation belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Its begin.
    pub from: Instant,
    /// Its end.
    pub to: Instant,
    /// Of an open loop an operation counts that was due in the time, however late it was done. Of a closed loop one
    /// counts that was done in it.
    pub is_open_loop: bool,
}

/// A batch that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Where it is.
    pub partition: PartitionId,
    /// The offset of its first record.
    pub base_offset: Offset,
    /// Its number.
    pub batch: usize,
    /// When its latency began.
    pub since: Instant,
    /// When its answer was read.
    pub at: Instant,
}

/// Hears of every batch. What it finds wrong ends the load.
pub trait Observer: Deliveries {
    /// The load begins, with this time that counts.
    fn begins(&mut self, window: Window);

    /// A batch is stored.
    fn stored(&mut self, stored: &Stored) -> Result<()>;

    /// How much is still to be read. The load goes on until there is nothing left.
    fn awaited_count(&self) -> usize;

    /// Whether it has heard enough. The load then ends at once, whatever is in flight.
    fn ends(&self) -> bool {
        false
    }
}

/// Nobody.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

/// A function that is told of every batch that is stored, and says whether the load goes on. Nothing is read.
#[derive(Debug)]
pub struct EachStored<'a, F> {
    tell: F,
    ends: bool,
    end: Option<&'a AtomicBool>,
}

impl Window {
    /// Whether what began at `since` and was done at `at` counts.
    pub fn counts(&self, since: Instant, at: Instant) -> bool {
        (self.from..self.to).contains(if self.is_open_loop { &since } else { &at })
    }
}

impl Deliveries for Unobserved {
    fn delivered(&mut self, _: &Delivered) -> Result<()> {
        Ok(())
    }

    fn fetched(&mut self, _: Instant, _: Instant) {}
}

impl Observer for Unobserved {
    fn begins(&mut self, _: Window) {}

    fn stored(&mut self, _: &Stored) -> Result<()> {
        Ok(())
    }

    fn awaited_count(&self) -> usize {
        0
    }
}

impl<'a, F: FnMut(&Stored) -> Result<ControlFlow<()>>> EachStored<'a, F> {
    /// This function.
    pub fn new(tell: F) -> Self {
        Self { tell, ends: false, end: None }
    }

    /// The load also ends when somebody else says so, even if the server takes nothing any more.
    pub fn until(self, end: &'a AtomicBool) -> Self {
        Self { end: Some(end), ..self }
    }
}

impl<F> Deliveries for EachStored<'_, F> {
    fn delivered(&mut self, delivered: &Delivered) -> Result<()> {
        bail!("partition {} was read, and nobody asked for it", delivered.partition)
    }

    fn fetched(&mut self, _: Instant, _: Instant) {}
}

impl<F: FnMut(&Stored) -> Result<ControlFlow<()>>> Observer for EachStored<'_, F> {
    fn begins(&mut self, _: Window) {}

    fn stored(&mut self, stored: &Stored) -> Result<()> {
        self.ends |= (self.tell)(stored)?.is_break();
        Ok(())
    }

    fn awaited_count(&self) -> usize {
        0
    }

    fn ends(&self) -> bool {
        self.ends || self.end.is_some_and(|end| end.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
