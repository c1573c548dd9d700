//! Everything that is tested from outside the crates, as one binary.

#[path = "all/data_file.rs"]
mod data_file;
#[path = "all/fuzz.rs"]
mod fuzz;
#[path = "all/protocol.rs"]
mod protocol;
#[path = "all/repair.rs"]
mod repair;
#[path = "all/served.rs"]
mod served;
#[path = "all/served_damage.rs"]
mod served_damage;
#[path = "all/served_kill.rs"]
mod served_kill;
#[path = "all/served_power.rs"]
mod served_power;
#[path = "all/simulation.rs"]
mod simulation;
#[path = "all/superblock.rs"]
mod superblock;
#[path = "all/tidy.rs"]
mod tidy;
#[path = "all/tidy_net.rs"]
mod tidy_net;
#[path = "all/tree.rs"]
mod tree;
#[path = "all/wire.rs"]
mod wire;
