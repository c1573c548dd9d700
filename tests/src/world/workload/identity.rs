//! The power goes, and the identity of the directory is damaged meanwhile: one of its copies is enough.

use std::path::{Path, PathBuf};

use florin_engine::format::identity::IDENTITY_BYTES;
use florin_engine::format::layout::identity_path;
use florin_engine::io::Runtime;
use florin_engine::shard::open::read_identity;
use rand::Rng;

use crate::world::checkers::{Checked, healthy_opens};
use crate::world::cluster::DATA;
use crate::world::run::World;

/// Bytes of a copy that are checked and not all zero.
const HELD_BYTES: u64 = 40;

pub(super) fn play(world: &mut World) -> Checked {
    world.lose_power()?;
    let path = identity_path(Path::new(DATA));
    let sound = read(world).ok();
    let first = world.faults.random_range(0..2);
    let undo = damage(world, &path, first);
    healthy_opens::is_known_by_one_copy(sound.as_ref(), &read(world))?;
    if world.faults.random_bool(0.3) {
        let undo = damage(world, &path, 1 - first);
        healthy_opens::is_known_by_no_copy(&read(world))?;
        undo(world);
    }
    if world.faults.random_bool(0.5) {
        // A start goes on with the other copy.
        world.start();
        world.settle_start()?;
        world.lose_power()?;
    }
    undo(world);
    world.start_again()
}

fn read(world: &World) -> Result<florin_engine::format::identity::Identity, String> {
    world.on_the_side(|runtime| async move {
        read_identity(runtime.disk(), Path::new(DATA)).await.map_err(|error| error.to_string())
    })
}

/// Damages a copy so that it cannot be used; gives how that is undone.
fn damage(world: &mut World, path: &Path, copy: u64) -> impl FnOnce(&mut World) + use<> {
    let start = copy * IDENTITY_BYTES as u64;
    let mut before = vec![0; IDENTITY_BYTES];
    world.device.peek(path, start, &mut before);
    match world.faults.random_range(0..3) {
        0 => world.device.poke(path, start, &vec![0; IDENTITY_BYTES]),
        1 => world.device.corrupt_range(path, start, HELD_BYTES, &mut world.faults),
        _ => {
            let (at, bit) = (world.faults.random_range(0..HELD_BYTES), world.faults.random_range(0..8));
            world.device.flip_bit(path, start + at, bit);
        }
    }
    world.summary.identity_damage_count += 1;
    world.note(|| format!("copy {copy} of the identity is damaged"));
    let path = PathBuf::from(path);
    move |world| world.device.poke(&path, start, &before)
}
