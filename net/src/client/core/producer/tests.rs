//! The producer's rules one by one, and against a server that loses, repeats and refuses at random.

mod failures;
mod keys;
mod lossy;
mod rig;
mod rules;
mod transactional;
