//! Real processes on a real disk: a program that appends and is killed, and the checker of what it leaves behind.
//!
//! `src/bin/appender.rs` serves the shards of a directory on glommio and drives them with producers of its own. It
//! says on its standard output what it sends, what is acknowledged and what it reads back, one write(2) per line, so
//! that whatever can be read there was true before the process died. The test starts it, kills it, and holds the
//! lines of all runs against each other.
//!
//! In the order of a line's life: [`payload`] makes batches that prove themselves, [`appender`] runs shards
//! ([`client`], [`mesh`]) with their [`producer`]s and [`reader`]s, [`mod@line`] is what it says, [`process`] hears it,
//! [`model`] judges it. [`directory`] formats and verifies without a runtime; [`measure`] is a benchmark.

pub mod appender;
pub mod client;
pub mod directory;
pub mod line;
pub mod measure;
pub mod mesh;
pub mod model;
pub mod payload;
pub mod process;
pub mod producer;
pub mod reader;
