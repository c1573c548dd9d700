//! The power is cut below the real server: a disk in memory keeps a record of everything that the server does to it,
//! and what would be left after a cut at any point of the record is given to the next server.
//!
//! [`image`] is what a disk holds, [`record`] what was done to it, and [`cut`] what is left of that. [`disk`] is the
//! disk, which can also be full or stop answering; [`mount`] lets processes use it, through FUSE. [`campaign`] lets a
//! server live through many cuts of power, and tries many others on the side; [`trouble`] is what else happens meanwhile.

mod answers;
pub mod campaign;
pub mod cut;
pub mod disk;
mod files;
pub mod image;
pub mod mount;
pub mod record;
pub mod trouble;
