//! A batch behind a gap in the sequence.

use crate::world::run::World;

const GAP: u32 = 7;

pub(super) fn play(world: &mut World) {
    world.send_wrongly(|producer| Some((producer.id, producer.epoch, producer.next_sequence + GAP)));
}
