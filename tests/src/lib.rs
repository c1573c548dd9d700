//! Florin under test: the simulator, the world it plays, and tests on real disks.

pub mod real;
pub mod served;
pub mod sim;
pub mod wire;
pub mod world;
