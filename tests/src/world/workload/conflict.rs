//! Another batch under a sequence that is taken.

use crate::world::run::World;

pub(super) fn play(world: &mut World) {
    world.send_wrongly(|producer| {
        let last = producer.tracked.back()?.base_sequence;
        Some((producer.id, producer.epoch, last))
    });
}
