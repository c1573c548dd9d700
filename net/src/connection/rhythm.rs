//! Whether a client waits for its answers before it sends more.
//!
//! To watch a socket costs an interrupt of this core for each request that arrives meanwhile. A client that has shown
//! that it sends nothing before it is answered is not watched until then: its next request is mostly there when the
//! answers of the block have left, and is read without having been waited for.

/// So many reads in a row must find nothing under way before a client counts as one that waits.
const CALM_READS: u32 = 16;
/// Of a client that waits, every so many reads is watched all the same, to notice that it does not any more.
const LOOK_EVERY: u32 = 32;

/// How a client has sent so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rhythm {
    calm_reads: u32,
    until_look: u32,
}

impl Rhythm {
    /// Frames came while so many requests of the client were under way; `frame_count` at once.
    pub(super) fn came(&mut self, under_way: usize, frame_count: u32) {
        if under_way > 0 || frame_count > 1 {
            self.calm_reads = 0;
        } else {
            self.calm_reads = (self.calm_reads + 1).min(CALM_READS);
        }
    }

    /// Whether to wait for the answers before the client is read from.
    pub(super) fn waits_for_answers(&mut self) -> bool {
        if self.calm_reads < CALM_READS {
            return false;
        }
        if self.until_look == 0 {
            self.until_look = LOOK_EVERY;
            return false;
        }
        self.until_look -= 1;
        true
    }
}

#[cfg(test)]
mod tests;
