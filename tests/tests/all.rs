//! Everything that is tested from outside the crates, as one binary.

#[path = "all/data_file.rs"]
mod data_file;
#[path = "all/real_disk.rs"]
mod real_disk;
#[path = "all/simulation.rs"]
mod simulation;
#[path = "all/superblock.rs"]
mod superblock;
#[path = "all/tidy.rs"]
mod tidy;
#[path = "all/tree.rs"]
mod tree;
