//! Real processes under load and faults, and the checkers of what they leave behind.
//!
//! [`real`] is a program that appends to a directory by itself; [`served`] is the server with clients; [`power`] is the
//! server with clients on a disk whose power is cut.

pub mod events;
pub mod power;
pub mod real;
pub mod served;
