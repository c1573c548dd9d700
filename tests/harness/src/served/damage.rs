//! Damage to the files of a server that has ended, and what the next start makes of it.
//!
//! Two sound directories are made once: one of a server that was stopped in order, so that everything is at rest, and
//! one of a server that was killed while it had nothing to do, so that its journal is needed. A [`case`] copies one of
//! them, damages the copy, starts the real server on it and reads everything back.
//!
//! [`sound`] makes the directories and says what they hold, [`layout`] what each byte of them is needed for, [`harm`]
//! what is done to a file, [`expected`] how far that may reach, [`observe`] what clients are told, [`judge`] whether
//! it is as promised. [`campaign`] plays case after case.

pub mod campaign;
pub mod case;
pub mod expected;
pub mod harm;
pub mod judge;
pub mod layout;
pub mod observe;
pub mod sound;
