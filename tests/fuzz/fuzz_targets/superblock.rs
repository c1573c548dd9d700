//! See `tests/src/fuzz/superblock.rs`.

#![no_main]

use florin_tests::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    fuzz::superblock::run(florin_fuzz::memory(), input);
});
