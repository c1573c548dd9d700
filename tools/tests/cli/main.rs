//! The real binary on real directories: what it makes, shows, finds and answers with;
//! and on a real server, started as its own child: what it stores there and reads back.

mod disk_check;
mod document;
mod dump;
mod dump_damage;
mod format;
mod inspect;
mod inspect_segments;
mod keys;
mod live;
mod live_damage;
mod live_server;
mod network;
mod refusals;
mod repair;
mod scratch;
mod server;
mod settings;
mod strangers;
mod transactions;
mod verify_damage;
mod verify_files;
mod verify_refusals;
mod verify_segments;
