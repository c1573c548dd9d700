//! A shard as a pure state machine: events by hand, effects looked at, writes completed in any order.

mod alterations;
mod checkpoints;
mod closing;
mod cold;
mod failures;
mod key_work;
mod keyed;
mod reads;
mod refusals;
mod replies;
mod rig;
mod room;
mod segments;
mod topics;
mod transactions;
