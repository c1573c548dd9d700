//! Florin under test: the simulator, the world it plays, tests on real disks, and what fuzzing does with arbitrary bytes.

pub mod fuzz;
pub mod real;
pub mod served;
pub mod sim;
pub mod world;
