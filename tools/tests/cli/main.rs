//! The real binary on real directories: what it makes, shows, finds and answers with.

mod document;
mod format;
mod inspect;
mod scratch;
mod server;
mod verify_damage;
mod verify_files;
mod verify_refusals;
