//! How connections end.

use super::*;

/// A client sends 10,000 bytes and reads what comes; what the server read and how both ended.
fn play(seed: u64, faults: NetworkFaults) -> (World, usize, Option<ErrorKind>, Option<ErrorKind>) {
    let world = World::with_faults(seed, faults);
    let (client, server) = world.connect();
    let told = Rc::new(RefCell::new(None));
    let end = Rc::clone(&told);
    world.executor.spawn(async move {
        let sent = send_all(&client, &pattern(10_000)).await;
        client.end_sending();
        let (.., read) = read_all(&client).await;
        *end.borrow_mut() = sent.and(read).err().map(|error| error.kind());
    });
    let handle = world.executor.handle();
    let (bytes, how) = world.executor.block_on(async move {
        let (bytes, _, how) = read_all(&server).await;
        handle.sleep(1_000_000_000).await;
        (bytes, how.err().map(|error| error.kind()))
    });
    assert_eq!(bytes, pattern(bytes.len()), "what arrives is what was sent");
    let told = *told.borrow();
    (world, bytes.len(), how, told)
}

#[test]
fn a_connection_breaks_at_any_byte_and_both_sides_are_told() {
    let mut lengths = Vec::new();
    for seed in 1..200 {
        let faults =
            NetworkFaults { reset_ppm: MILLION, break_bytes_max: 9_000, part_ppm: MILLION, ..NetworkFaults::default() };
        let (world, length, how, told) = play(seed, faults);
        assert_eq!((how, told), (Some(ErrorKind::ConnectionReset), Some(ErrorKind::ConnectionReset)), "seed {seed}");
        assert_eq!(world.wire.counters().reset_count, 1);
        assert!(length <= 9_000);
        lengths.push(length);
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert!(lengths.len() > 20, "{lengths:?}");
}

#[test]
fn a_connection_ends_in_order_at_any_byte_for_the_reader() {
    for seed in 1..20 {
        let faults = NetworkFaults { end_ppm: MILLION, break_bytes_max: 9_000, ..NetworkFaults::default() };
        let (world, length, how, _) = play(seed, faults);
        assert_eq!(how, None, "seed {seed}");
        assert_eq!(world.wire.counters().end_count, 1);
        assert!(length <= 9_000);
    }
}

#[test]
fn a_connection_that_falls_silent_tells_nobody_and_fills_up() {
    let faults = NetworkFaults { silence_ppm: MILLION, break_bytes_max: 9_000, ..NetworkFaults::default() };
    let world = World::with_faults(3, faults);
    let (client, server) = world.connect();
    let ended = Rc::new(RefCell::new(false));
    let end = Rc::clone(&ended);
    world.executor.spawn(async move {
        let _ = send_all(&client, &pattern(100_000)).await;
        *end.borrow_mut() = true;
    });
    world.executor.spawn(async move {
        let (bytes, ..) = read_all(&server).await;
        panic!("it ended after {} bytes", bytes.len());
    });
    let _ = world.executor.run_for(3_600_000_000_000);
    assert!(!*ended.borrow());
    let counters = world.wire.counters();
    assert!(counters.silence_count == 1 && counters.full_count >= 1, "{counters:?}");
}

#[test]
fn who_closes_without_having_read_everything_resets_the_connection() {
    let world = World::new(1, NetworkConfig::default());
    let (client, server) = world.connect();
    let handle = world.executor.handle();
    let end = world.executor.block_on(async move {
        send_all(&client, b"never read").await.unwrap();
        handle.sleep(1_000_000).await;
        drop(server);
        read_all(&client).await.2.map_err(|error| error.kind())
    });
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
}

#[test]
fn who_sends_to_a_side_that_has_closed_is_told_so() {
    let world = World::new(1, NetworkConfig::default());
    let (client, server) = world.connect();
    let handle = world.executor.handle();
    let (read, sent) = world.executor.block_on(async move {
        drop(server);
        let read = read_all(&client).await.2.is_ok();
        let first = client.write(b"too late").await.is_ok();
        handle.sleep(1_000_000).await;
        (read && first, client.write(b"again").await.map_err(|error| error.kind()))
    });
    assert_eq!((read, sent), (true, Err(ErrorKind::ConnectionReset)));
}

#[test]
fn the_end_of_a_process_closes_its_connections_and_ports() {
    let world = World::new(1, NetworkConfig::default());
    let (server, wire) = (world.server(), world.wire.clone());
    let process = server.process();
    let listening = server.clone();
    listening.spawn(async move {
        let listener = server.listen(PORT.into()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (bytes, ..) = read_all(&stream).await;
        panic!("it ended after {} bytes", bytes.len());
    });
    let client = world.executor.block_on(async move { wire.connect(PORT.into()).await.unwrap() });
    let _ = world.executor.run_for(1_000_000);
    world.executor.crash_process(process);
    let end = world.executor.block_on(async move { read_all(&client).await.2 });
    assert!(end.is_ok(), "a system closes what a killed process had open");
    let wire = world.wire.clone();
    assert!(world.executor.block_on(async move { wire.connect(PORT.into()).await.is_err() }));
}

#[test]
fn after_a_power_loss_clients_are_told_later_or_never() {
    let (mut told_count, mut silent_count) = (0, 0);
    for seed in 1..40 {
        let world = World::new(seed, NetworkConfig::default());
        let (client, server) = world.connect();
        let process = crate::sim::Process(1);
        world.wire.power_loss(process);
        drop(server);
        let told = Rc::new(RefCell::new(false));
        let end = Rc::clone(&told);
        world.executor.spawn(async move {
            let _ = client.write(b"is anybody there").await;
            assert!(read_all(&client).await.2.is_err(), "a machine without power ends nothing in order");
            *end.borrow_mut() = true;
        });
        let _ = world.executor.run_for(60_000_000_000);
        if *told.borrow() { told_count += 1 } else { silent_count += 1 }
    }
    assert!(told_count > 5 && silent_count > 5, "{told_count} were told, {silent_count} not");
}

#[test]
fn the_same_seed_gives_the_same_network() {
    let faults = || NetworkFaults {
        part_ppm: 300_000,
        stall_ppm: 100_000,
        reset_ppm: 300_000,
        end_ppm: 300_000,
        ..NetworkFaults::default()
    };
    let mut outcomes = Vec::new();
    for seed in 1..10 {
        let run = || {
            let (world, length, how, told) = play(seed, faults());
            (world.wire.counters(), length, how, told, world.executor.now_ns(), world.executor.event_count())
        };
        let outcome = run();
        assert_eq!(outcome, run(), "seed {seed}");
        outcomes.push(outcome);
    }
    assert!(outcomes.windows(2).any(|pair| pair[0] != pair[1]));
}
