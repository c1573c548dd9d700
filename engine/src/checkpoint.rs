//! Checkpoints: the state of a shard as a manifest, so that the journal before it is not needed any more.

pub mod slot;
