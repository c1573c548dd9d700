//! A shard that says it is closed, in order or not, has no write under way.

use crate::world::checkers::{Checked, violation};
use crate::world::run::World;

impl World {
    /// Every shard has said that it is closed.
    pub fn is_quiet(&self) -> Checked {
        match self.device.in_flight_write_count() {
            0 => Ok(()),
            count => violation("closed is quiet", format!("{count} writes are under way after every shard closed")),
        }
    }
}
