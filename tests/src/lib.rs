//! Florin under test: the simulator, the world it plays, and what fuzzing does with arbitrary bytes.

pub mod fuzz;
pub mod sim;
pub mod sweep;
pub mod wire;
pub mod world;
