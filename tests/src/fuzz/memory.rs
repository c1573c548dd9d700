//! How much memory decoding may take.

/// Runs something and returns how many bytes more than before were allocated at most while it ran.
pub type Peak = fn(&mut dyn FnMut()) -> u64;

/// Holds decoders to a bound. Allocations can be counted by the program's allocator only, so whoever runs a target brings
/// the counter along.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    peak: Peak,
}

impl Memory {
    /// With this counter.
    pub fn new(peak: Peak) -> Self {
        Self { peak }
    }

    /// Decodes.
    ///
    /// # Panics
    /// If that takes more than `bytes_max`.
    pub fn within<T>(self, what: &str, bytes_max: usize, decode: impl FnOnce() -> T) -> T {
        let mut decode = Some(decode);
        let mut decoded = None;
        let peak = (self.peak)(&mut || decoded = decode.take().map(|decode| decode()));
        assert!(peak <= bytes_max as u64, "decoding {what} took {peak} bytes of memory, {bytes_max} are allowed");
        decoded.expect("a counter runs what it is given")
    }
}
