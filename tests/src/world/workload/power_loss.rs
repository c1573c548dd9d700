//! Cut the power at this instant, and start again.

use crate::world::checkers::Checked;
use crate::world::run::World;

pub(super) fn play(world: &mut World) -> Checked {
    world.crash(true)
}
