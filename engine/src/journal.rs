//! The journal of a shard: a ring of files that one writer fills with blocks, each one durable write.
//!
//! In the order of a block's life: [`append`] places entries into forming blocks, [`ring`] says where they go,
//! [`watermarks`] counts what is durable, [`mod@write`] carries blocks and superblocks to the disk. After a restart
//! [`scan`] reads the files, [`decision`] judges every unit and [`recovery`] says what the journal holds.

pub mod append;
pub mod create;
pub mod decision;
pub mod recovery;
pub mod ring;
pub mod scan;
pub mod watermarks;
pub mod write;
