//! See `tests/src/fuzz/frames.rs`.

#![no_main]

use florin_tests::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    fuzz::frames::run(florin_fuzz::memory(), input);
});
