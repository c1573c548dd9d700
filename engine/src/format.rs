//! Bytes at rest and on the wire: fixed little-endian layouts (record batches: Kafka's, big-endian), read and
//! written without touching a file. Every layout here has a table in `docs/DATA_FILE.md` and golden bytes.

pub mod batch;
pub mod block;
pub mod checksum;
pub mod control;
pub mod extent;
pub mod identity;
pub mod keys;
pub mod layout;
pub mod manifest;
pub mod segment_index;
pub mod stored;
pub mod superblock;
pub mod virgin;
