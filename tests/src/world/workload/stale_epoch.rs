//! A batch of an older epoch.

use florin_engine::model::ProducerEpoch;

use crate::world::run::World;

pub(super) fn play(world: &mut World) {
    world.send_wrongly(|producer| {
        let older = producer.epoch.0.checked_sub(1)?;
        Some((producer.id, ProducerEpoch(older), producer.next_sequence))
    });
}
