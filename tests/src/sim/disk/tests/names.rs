use florin_engine::io::{Disk, DiskErrorKind, DiskFile};
use florin_engine::model::Position;

use super::{Access, Path, World, count, fill, settled_file};

fn names(world: &World) -> Vec<String> {
    world.run(|disk| async move { disk.list(Path::new("/data")).await.unwrap() })
}

#[test]
fn a_created_file_vanishes_unless_its_directory_was_synced() {
    let mut gone_count = 0;
    for seed in 0..200 {
        let synced = seed % 2 == 0;
        let mut world = World::plain(seed);
        world.run(move |disk| async move {
            let file = disk.create(Path::new("/data/file"), 4096).await.unwrap();
            file.sync().await.unwrap();
            if synced {
                disk.sync_directory(Path::new("/data")).await.unwrap();
            }
        });
        world.power_loss();
        let is_there = names(&world) == ["file"];
        assert!(is_there || !synced, "seed {seed}");
        gone_count += usize::from(!is_there);
    }
    assert!((20..80).contains(&gone_count), "{gone_count} of 100");
}

#[test]
fn a_rename_that_was_not_synced_shows_the_old_or_the_new_name() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let mut world = World::plain(seed);
        world.run(|disk| async move {
            let old = settled_file(&disk, "/data/kept", 1, Access::Durable).await;
            fill(&old, Access::Durable, 0, 1, 1).await.unwrap();
            let new = settled_file(&disk, "/data/new", 1, Access::Durable).await;
            fill(&new, Access::Durable, 0, 1, 2).await.unwrap();
            disk.rename(Path::new("/data/new"), Path::new("/data/kept")).await.unwrap();
        });
        assert_eq!(names(&world), ["kept"]);
        world.power_loss();
        let value = world.bytes("/data/kept").unwrap()[0];
        seen.insert((names(&world), value));
    }
    let both = (vec!["kept".to_owned(), "new".to_owned()], 1);
    assert_eq!(Vec::from_iter(seen), [(vec!["kept".to_owned()], 2), both]);
}

#[test]
fn a_file_renamed_twice_keeps_exactly_one_name() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let mut world = World::plain(seed);
        world.run(|disk| async move {
            drop(settled_file(&disk, "/data/a", 1, Access::Read).await);
            disk.rename(Path::new("/data/a"), Path::new("/data/b")).await.unwrap();
            disk.rename(Path::new("/data/b"), Path::new("/data/c")).await.unwrap();
        });
        world.power_loss();
        assert_eq!(names(&world).len(), 1, "seed {seed}");
        seen.extend(names(&world));
    }
    assert_eq!(Vec::from_iter(seen), ["a", "b", "c"]);
}

#[test]
fn a_synced_name_is_not_taken_back_by_an_older_rename_elsewhere() {
    for seed in 0..100 {
        let mut world = World::plain(seed);
        world.device.make_directory(Path::new("/data/inner"));
        world.run(|disk| async move {
            drop(settled_file(&disk, "/data/a", 1, Access::Read).await);
            disk.rename(Path::new("/data/a"), Path::new("/data/b")).await.unwrap();
            disk.rename(Path::new("/data/b"), Path::new("/data/inner/c")).await.unwrap();
            disk.sync_directory(Path::new("/data/inner")).await.unwrap();
        });
        world.power_loss();
        assert_eq!(names(&world), ["inner"], "seed {seed}");
        assert!(world.bytes("/data/inner/c").is_ok(), "seed {seed}");
    }
}

#[test]
fn a_removed_file_may_come_back_with_its_contents_unless_synced() {
    let mut back_count = 0;
    for seed in 0..200 {
        let synced = seed % 2 == 0;
        let mut world = World::plain(seed);
        world.run(move |disk| async move {
            let file = settled_file(&disk, "/data/file", 1, Access::Durable).await;
            fill(&file, Access::Durable, 0, 1, 9).await.unwrap();
            disk.remove(Path::new("/data/file")).await.unwrap();
            // An open handle outlives the name.
            assert_eq!(file.read(Position(0), 4096).await.unwrap()[0], 9);
            if synced {
                disk.sync_directory(Path::new("/data")).await.unwrap();
            }
        });
        world.power_loss();
        match world.bytes("/data/file") {
            Ok(bytes) => {
                assert!(!synced && count(&bytes, 9) == 4096, "seed {seed}");
                back_count += 1;
            }
            Err(error) => assert_eq!(error.kind, DiskErrorKind::NotFound),
        }
    }
    assert!((20..80).contains(&back_count), "{back_count} of 100");
}

#[test]
fn what_lies_in_a_directory_that_did_not_survive_is_gone() {
    let mut gone_count = 0;
    for seed in 0..100 {
        let mut world = World::plain(seed);
        world.run(|disk| async move {
            disk.create_directory(Path::new("/data/shard-0")).await.unwrap();
            drop(settled_file(&disk, "/data/shard-0/file", 1, Access::Read).await);
        });
        world.power_loss();
        let listed = world.run(|disk| async move { disk.list(Path::new("/data/shard-0")).await });
        let file = world.bytes("/data/shard-0/file");
        assert_eq!(listed.is_ok(), file.is_ok(), "seed {seed}");
        gone_count += usize::from(file.is_err());
    }
    assert!((20..80).contains(&gone_count), "{gone_count} of 100");
}

#[test]
fn names_are_listed_sorted_and_only_those_of_the_directory() {
    let world = World::plain(1);
    world.run(|disk| async move {
        disk.create_directory(Path::new("/data/b")).await.unwrap();
        for path in ["/data/c", "/data/b/inner", "/data/a", "/data/b-2"] {
            disk.create(Path::new(path), 0).await.unwrap();
        }
    });
    assert_eq!(names(&world), ["a", "b", "b-2", "c"]);
}

#[test]
fn wrong_names_are_told_apart() {
    let kinds = World::plain(1).run(|disk| async move {
        let path = Path::new;
        disk.create(path("/data/a"), 0).await.unwrap();
        [
            disk.create(path("/data/a"), 0).await.err(),
            disk.create(path("/nowhere/a"), 0).await.err(),
            disk.open(path("/data/b"), Access::Read).await.err(),
            disk.open(path("/data"), Access::Read).await.err(),
            disk.rename(path("/data/b"), path("/data/c")).await.err(),
            disk.remove(path("/data/b")).await.err(),
            disk.list(path("/nowhere")).await.err(),
            disk.create_directory(path("/data")).await.err(),
        ]
        .map(|error| error.unwrap().kind)
    });
    use DiskErrorKind::{AlreadyExists, NotFound, Refused};
    assert_eq!(kinds, [AlreadyExists, NotFound, NotFound, Refused, NotFound, NotFound, NotFound, AlreadyExists]);
}
