//! See `tests/src/fuzz/blocks.rs`.

#![no_main]

use florin_tests::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    fuzz::blocks::run(florin_fuzz::memory(), input);
});
