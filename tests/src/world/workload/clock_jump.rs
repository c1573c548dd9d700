//! The wall clock jumps by hours, or by days; producers that may have expired meanwhile are not used any more.

use rand::Rng;

use crate::world::run::World;

const HOUR_NS: i64 = 3_600 * 1_000_000_000;

pub(super) fn play(world: &mut World) {
    let hours = [-2, 2, 30, 24 * 8][world.random.random_range(0..4)];
    if hours > 24 * 7 {
        world.producers.iter_mut().for_each(|producer| producer.retired = true);
    }
    if hours > 0 {
        world.summary.clock_forward_count += 1;
    } else {
        world.summary.clock_back_count += 1;
    }
    world.skew_ns += hours * HOUR_NS;
    world.executor.set_realtime_skew_ns(world.skew_ns);
    // Whoever waits for its keys is appended by the clock of then.
    let now = world.executor.handle().now().realtime;
    let open = world.model.sent.values_mut().filter(|sent| sent.open_count > 0);
    open.for_each(|sent| sent.sent_at = sent.sent_at.min(now));
}
