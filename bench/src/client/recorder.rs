//! An observer that notes everything, for tests of what it hears.

use std::time::Instant;

use anyhow::Result;

use super::load::{Observer, Stored, Window};
use super::reader::{Delivered, Deliveries};

/// What was heard.
#[derive(Debug, Default)]
pub struct Recorder {
    /// The time that counts.
    pub window: Option<Window>,
    /// In the order in which it was told.
    pub stored: Vec<Stored>,
    /// The same of what was read.
    pub delivered: Vec<Delivered>,
    /// Answers to fetches.
    pub fetch_count: usize,
    /// The load goes on until so many batches were read.
    pub awaits: usize,
}

impl Recorder {
    /// Waits until so many batches were read.
    pub fn awaiting(awaits: usize) -> Self {
        Self { awaits, ..Self::default() }
    }

    /// The index of the partition and the base offset of each batch that was read, in order.
    pub fn places(&self) -> Vec<(u32, u64)> {
        self.delivered.iter().map(|delivered| (delivered.partition.index, delivered.base_offset.0)).collect()
    }
}

impl Deliveries for Recorder {
    fn delivered(&mut self, delivered: &Delivered) -> Result<()> {
        self.delivered.push(*delivered);
        Ok(())
    }

    fn fetched(&mut self, asked: Instant, at: Instant) {
        assert!(asked <= at);
        self.fetch_count += 1;
    }
}

impl Observer for Recorder {
    fn begins(&mut self, window: Window) {
        self.window = Some(window);
    }

    fn stored(&mut self, stored: &Stored) -> Result<()> {
        self.stored.push(*stored);
        Ok(())
    }

    fn awaited_count(&self) -> usize {
        self.awaits.saturating_sub(self.delivered.len())
    }
}
