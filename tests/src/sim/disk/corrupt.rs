//! Damage done to the medium: it hits what is durable and what reads see alike.
//!
//! All of this panics if the file or range is not there: damage that hits nothing would prove nothing.

use std::path::Path;

use rand::RngCore;
use rand_chacha::ChaCha8Rng;

use super::SimDevice;
use super::image::{Image, index};
use super::names::SharedContent;

impl SimDevice {
    /// Flips one bit, 0 to 7, of the byte at `position`.
    pub fn flip_bit(&self, path: &Path, position: u64, bit: u8) {
        assert!(bit < 8, "a byte has no bit {bit}");
        let mut byte = [0];
        self.peek(path, position, &mut byte);
        self.poke(path, position, &[byte[0] ^ 1 << bit]);
    }

    /// Replaces `bytes` bytes from `position` by random ones.
    pub fn corrupt_range(&self, path: &Path, position: u64, bytes: u64, random: &mut ChaCha8Rng) {
        let mut noise = vec![0; index(bytes)];
        random.fill_bytes(&mut noise);
        self.poke(path, position, &noise);
    }

    /// Overwrites bytes anywhere within the file.
    pub fn poke(&self, path: &Path, position: u64, bytes: &[u8]) {
        self.change_images(path, |image| image.poke(position, bytes));
    }

    /// Reads durable bytes from anywhere within the file, past all faults.
    pub fn peek(&self, path: &Path, position: u64, target: &mut [u8]) {
        let file = self.expect_file(path);
        let file = file.borrow();
        file.durable.peek(position, target);
    }

    /// Sets the size of a file; what is added reads as zero.
    pub fn truncate(&self, path: &Path, size_bytes: u64) {
        self.change_images(path, |image| image.resize(size_bytes));
    }

    /// Removes a file for good.
    pub fn delete(&self, path: &Path) {
        self.expect_file(path);
        self.device().names.delete(path);
    }

    /// Swaps the contents of two files.
    pub fn swap(&self, one: &Path, other: &Path) {
        let (one, other) = (self.expect_file(one), self.expect_file(other));
        one.swap(&other);
    }

    /// Lets every read that touches these bytes fail until a write covers them whole.
    pub fn make_unreadable(&self, path: &Path, position: u64, bytes: u64) {
        let file = self.expect_file(path);
        let mut file = file.borrow_mut();
        assert!(bytes > 0 && position + bytes <= file.current.size_bytes(), "the range lies within the file");
        file.unreadable.push(position..position + bytes);
    }

    /// Copies everything to a sound device: what could not be read is zero there. Whether there was any.
    pub fn copy_to_sound_device(&self) -> bool {
        let mut found = false;
        for file in self.device().names.durable_files() {
            let mut file = file.borrow_mut();
            for bad in std::mem::take(&mut file.unreadable) {
                found = true;
                file.durable.clear(&bad);
                file.current.clear(&bad);
            }
        }
        found
    }

    fn change_images(&self, path: &Path, change: impl Fn(&mut Image)) {
        let file = self.expect_file(path);
        let mut file = file.borrow_mut();
        change(&mut file.durable);
        change(&mut file.current);
    }

    fn expect_file(&self, path: &Path) -> SharedContent {
        let file = self.device().names.file(path);
        file.unwrap_or_else(|_| panic!("{} is no file to be damaged", path.display()))
    }
}
