//! The client without sockets, clocks and threads: time is an argument in monotonic nanoseconds, frames are bytes.
//!
//! [`connection`] speaks the protocol on one stream; [`metadata`] knows where partitions are; [`producer`] and
//! [`consumer`] decide what is asked next and what an answer means; [`transaction`] knows what a transaction may do next.

pub mod back_off;
pub mod batch_view;
pub mod connection;
pub mod consumer;
pub mod metadata;
pub mod producer;
pub mod together;
pub mod transaction;
