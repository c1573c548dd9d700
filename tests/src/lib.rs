//! Florin under test: the simulator, and the world it plays.

pub mod sim;
pub mod world;
