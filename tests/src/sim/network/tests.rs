//! What the simulated network promises, delays and breaks.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use bytes::BytesMut;
use florin_engine::io::Runtime;
use florin_net::io::{Listener, Network, Stream};

use super::{NetworkConfig, NetworkFaults, SimNetwork, SimStream, SimWire};
use crate::sim::{DiskConfig, SimDevice, SimExecutor, SimRuntime};

mod breaks;

const PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 7000);
const MILLION: u32 = 1_000_000;

/// One seed, one wire, and one process that may listen on it.
struct World {
    executor: SimExecutor,
    device: SimDevice,
    wire: SimWire,
}

impl World {
    fn new(seed: u64, config: NetworkConfig) -> Self {
        let executor = SimExecutor::new(seed);
        let device = SimDevice::new(executor.handle(), DiskConfig::default());
        device.make_directory(Path::new("/data"));
        let wire = SimWire::new(executor.handle(), config);
        Self { executor, device, wire }
    }

    fn with_faults(seed: u64, faults: NetworkFaults) -> Self {
        Self::new(seed, NetworkConfig { faults, ..NetworkConfig::default() })
    }

    fn server(&self) -> SimNetwork {
        self.wire.mount(SimRuntime::new(self.executor.handle(), self.device.mount(), 0))
    }

    /// A connection between a client of the harness and a process.
    fn connect(&self) -> (SimStream, SimStream) {
        let (server, wire) = (self.server(), self.wire.clone());
        self.executor.block_on(async move {
            let listener = server.listen(PORT.into()).unwrap();
            let client = wire.connect(PORT.into()).await.unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            (client, accepted)
        })
    }
}

async fn send_all(stream: &SimStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let taken = stream.write(bytes).await?;
        bytes = &bytes[taken..];
    }
    Ok(())
}

/// Reads to the end; how it ended, and how many reads it took.
async fn read_all(stream: &SimStream) -> (BytesMut, usize, std::io::Result<()>) {
    let mut all = BytesMut::new();
    for reads in 0.. {
        match stream.read(&mut all, None).await {
            Ok(0) => return (all, reads, Ok(())),
            Ok(_) => {}
            Err(error) => return (all, reads, Err(error)),
        }
    }
    unreachable!("a stream ends")
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..=250).cycle().take(bytes).collect()
}

#[test]
fn bytes_arrive_in_order_and_unchanged_however_they_are_cut_and_delayed() {
    let (mut stall_count, mut read_count) = (0, 0);
    for seed in 1..20 {
        let faults = NetworkFaults { part_ppm: 900_000, stall_ppm: 50_000, ..NetworkFaults::default() };
        let world = World::with_faults(seed, faults);
        let (client, server) = world.connect();
        world.executor.spawn(async move {
            send_all(&client, &pattern(30_000)).await.unwrap();
            client.end_sending();
            let (answer, ..) = read_all(&client).await;
            assert!(answer.is_empty());
        });
        let (bytes, reads, end) = world.executor.block_on(async move { read_all(&server).await });
        assert_eq!((bytes.as_ref(), end.is_ok()), (pattern(30_000).as_slice(), true));
        read_count += reads;
        stall_count += world.wire.counters().stall_count;
        assert!(world.wire.counters().part_count > 0);
    }
    assert!(stall_count > 0 && read_count > 60, "{stall_count} segments were late, there were {read_count} reads");
}

#[test]
fn a_side_that_does_not_read_stops_the_other_at_the_window_until_it_does() {
    let config = NetworkConfig { window_bytes: 1000..=1000, ..NetworkConfig::default() };
    let world = World::new(1, config);
    let (client, server) = world.connect();
    let sent = Rc::new(RefCell::new(0));
    let progress = Rc::clone(&sent);
    world.executor.spawn(async move {
        let bytes = pattern(2500);
        while *progress.borrow() < bytes.len() {
            let from = *progress.borrow();
            let taken = client.write(&bytes[from..]).await.unwrap();
            *progress.borrow_mut() += taken;
        }
    });
    let _ = world.executor.run_for(10_000_000_000);
    assert_eq!((*sent.borrow(), world.wire.counters().full_count), (1000, 1));
    let (bytes, ..) = world.executor.block_on(async move { read_all(&server).await });
    assert_eq!(bytes, pattern(2500), "dropping the client's side ended it in order");
}

#[test]
fn a_read_takes_no_more_than_is_expected_and_the_rest_stays() {
    let world = World::new(1, NetworkConfig::default());
    let (client, server) = world.connect();
    let reads = world.executor.block_on(async move {
        send_all(&client, &pattern(100)).await.unwrap();
        let mut bytes = BytesMut::new();
        let first = server.read(&mut bytes, Some(30)).await.unwrap();
        (first, server.read(&mut bytes, None).await.unwrap(), bytes)
    });
    assert_eq!(reads, (30, 70, BytesMut::from(pattern(100).as_slice())));
}

#[test]
fn one_side_may_go_on_sending_after_the_other_has_ended() {
    let world = World::new(1, NetworkConfig::default());
    let (client, server) = world.connect();
    let (read, answer) = world.executor.block_on(async move {
        client.end_sending();
        let (read, ..) = read_all(&server).await;
        send_all(&server, b"answer").await.unwrap();
        drop(server);
        (read, read_all(&client).await.0)
    });
    assert_eq!((read.len(), answer.as_ref()), (0, b"answer".as_slice()));
}

#[test]
fn nobody_connects_where_nobody_listens_or_too_many_wait() {
    let config = NetworkConfig { backlog_max: 1, ..NetworkConfig::default() };
    let world = World::new(1, config);
    let (server, wire) = (world.server(), world.wire.clone());
    let refused = world.executor.block_on(async move {
        let to = SocketAddr::from(PORT);
        let before = wire.connect(to).await.err().map(|error| error.kind());
        let listener = server.listen(to).unwrap();
        assert_eq!(server.listen(to).err().map(|error| error.kind()), Some(ErrorKind::AddrInUse));
        let first = wire.connect(to).await;
        let second = wire.connect(to).await.err().map(|error| error.kind());
        listener.accept().await.unwrap();
        let third = wire.connect(to).await;
        assert!(first.is_ok() && third.is_ok());
        drop(listener);
        (before, second, wire.connect(to).await.err().map(|error| error.kind()))
    });
    let no = Some(ErrorKind::ConnectionRefused);
    assert_eq!(refused, (no, no, no));
}

#[test]
fn an_accept_may_fail_and_the_connection_is_there_for_the_next() {
    let world = World::with_faults(1, NetworkFaults { accept_fail_ppm: MILLION, ..NetworkFaults::default() });
    let (server, wire) = (world.server(), world.wire.clone());
    world.executor.block_on(async move {
        let listener = server.listen(PORT.into()).unwrap();
        let _client = wire.connect(PORT.into()).await.unwrap();
        assert!(listener.accept().await.is_err());
        wire.set_faults(NetworkFaults::default());
        assert!(listener.accept().await.is_ok());
    });
    assert_eq!(world.wire.counters().accept_failed_count, 1);
}

#[test]
fn a_port_that_is_left_open_is_chosen_and_told() {
    let world = World::new(1, NetworkConfig::default());
    let server = world.server();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (one, other) = (server.listen(any).unwrap(), server.listen(any).unwrap());
    assert!(one.address().port() > 0 && one.address() != other.address());
    assert!(server.now().monotonic.0 == world.executor.now_ns());
}
