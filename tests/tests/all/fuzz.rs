//! The fuzz targets on the inputs that they begin with, and on what is near them.

use std::collections::BTreeSet;

use florin_tests::fuzz::{Memory, REPAIR, TARGETS};

use crate::tree::{files, read};

/// Counts what this thread allocates.
fn memory() -> Memory {
    Memory::new(|run| allocation_counter::measure(run).bytes_max)
}

#[test]
fn every_seed_passes_its_target_and_is_accepted() {
    for target in TARGETS {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            assert!((target.run)(memory(), seed) > 0, "{}: seed {number} is not accepted", target.name);
        }
    }
}

#[test]
fn every_target_passes_when_any_byte_of_a_seed_is_another_one() {
    for target in TARGETS {
        let mut refused = false;
        for seed in (target.seeds)() {
            for at in 0..seed.len() {
                for change in [0x01, 0x80, 0xff] {
                    let mut input = seed.clone();
                    input[at] ^= change;
                    refused |= (target.run)(memory(), &input) == 0;
                }
            }
        }
        assert!(refused, "{}: a change is noticed", target.name);
    }
}

#[test]
fn every_target_passes_when_a_seed_ends_anywhere() {
    for target in TARGETS {
        for seed in (target.seeds)() {
            for end in 0..seed.len() {
                (target.run)(memory(), &seed[..end]);
            }
        }
    }
}

#[test]
fn repaired_seeds_are_accepted_with_any_checksum() {
    for target in TARGETS {
        let repaired: Vec<_> = (target.seeds)().into_iter().filter(|seed| seed[0] & REPAIR != 0).collect();
        assert!(!repaired.is_empty(), "{} repairs", target.name);
        for seed in repaired {
            let accepted = (target.run)(memory(), &seed);
            let damaged = |at: usize| {
                let mut input = seed.clone();
                input[at] ^= 0xff;
                input
            };
            let healed = (1..seed.len()).filter(|at| (target.run)(memory(), &damaged(*at)) == accepted).count();
            assert!(healed >= 4, "{}: a damaged checksum is repaired", target.name);
        }
    }
}

#[test]
#[should_panic(expected = "decoding a claim took 4096 bytes of memory, 64 are allowed")]
fn memory_above_a_bound_is_a_finding() {
    memory().within("a claim", 64, || Vec::<u8>::with_capacity(4096).capacity());
}

#[test]
fn every_target_has_its_file_for_the_fuzzer() {
    let names: BTreeSet<_> =
        TARGETS.iter().map(|target| format!("tests/fuzz/fuzz_targets/{}.rs", target.name)).collect();
    let are: BTreeSet<_> = files("tests/fuzz/fuzz_targets", "rs").into_iter().map(|file| file.path).collect();
    assert_eq!(names, are);
    let manifest = read("tests/fuzz/Cargo.toml");
    for target in TARGETS {
        let text = read(&format!("tests/fuzz/fuzz_targets/{}.rs", target.name));
        assert!(text.contains(&format!("fuzz::{}::run(", target.name)), "{} runs its own body", target.name);
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{} is built", target.name);
    }
}
