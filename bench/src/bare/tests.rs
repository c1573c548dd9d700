use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use florin_net::protocol::request::put_produce_head;
use florin_net::protocol::{Api, FrameReader, Response};

use super::block::{AlignedBlock, BLOCK_BYTES_MAX, Positions};
use super::cut::{Received, put_answer};
use super::ring_file::{self, RING_BYTES};
use super::{Bare, Ending, epoll, glommio};
use crate::client::load::{Load, LoadSettings, Unobserved, WhenFull};
use crate::client::payload::{PayloadKind, Payloads};
use crate::client::routes::to_bare;

fn request(correlation: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    let route = &to_bare("", 1)[0];
    put_produce_head(&mut frame, correlation, route.partition, payload.len());
    frame.extend_from_slice(payload);
    frame.to_vec()
}

#[test]
fn frames_are_cut_by_their_length_wherever_a_read_ends() {
    let stream = [request(7, b"first"), request(8, &[9; 5000]), request(9, b"")].concat();
    for piece_bytes in [1, 23, 100, 10_000] {
        let mut received = Received::default();
        let mut cut = Vec::new();
        for piece in stream.chunks(piece_bytes) {
            received.push(piece);
            while let Some((correlation, frame)) = received.front() {
                cut.push((correlation, frame.len()));
                let bytes = frame.len();
                received.drop_front(bytes);
            }
        }
        let expected: Vec<(u64, usize)> =
            [(7, request(7, b"first").len()), (8, request(8, &[9; 5000]).len()), (9, request(9, b"").len())].into();
        assert_eq!(cut, expected);
        assert!(received.is_empty());
    }
}

#[test]
fn an_answer_is_one_that_the_load_takes() {
    let mut out = BytesMut::new();
    put_answer(&mut out, 42);
    let mut reader = FrameReader::new(1024);
    reader.buffer_mut().extend_from_slice(&out);
    let frame = reader.next_frame().unwrap().unwrap();
    assert_eq!(frame.correlation, 42);
    assert!(matches!(Response::decode(Api::Produce, frame), Ok(Response::Produced { duplicate: false, .. })));
}

#[test]
fn a_block_is_written_in_whole_units_with_zeros_behind_its_frames() {
    let mut block = AlignedBlock::new();
    assert!(block.is_empty() && block.push(&[1; 5000]));
    assert_eq!(block.units().len(), 8192);
    assert_eq!(block.units().as_ptr().align_offset(4096), 0);
    assert!(block.units()[5000..].iter().all(|byte| *byte == 0));
    block.clear();
    assert!(block.push(&[2; 10]) && block.units()[10..].iter().all(|byte| *byte == 0));
    assert!(!block.push(&vec![3; BLOCK_BYTES_MAX]), "there is no room");
}

#[test]
fn writes_go_round_the_ring_and_never_over_its_end() {
    let mut positions = Positions::default();
    let bytes = 3 << 20;
    let count = usize::try_from(RING_BYTES).unwrap() / bytes;
    for number in 0..count {
        assert_eq!(positions.take(bytes), (number * bytes) as u64);
    }
    assert_eq!(positions.take(bytes), 0);
}

/// Both kinds under the load that drives Florin, on the disk that the tests are built on.
#[test]
fn a_bare_server_answers_every_request_of_every_connection() {
    for bare in Bare::ALL {
        let built = std::env::current_exe().unwrap();
        let home = tempfile::tempdir_in(built.parent().unwrap()).unwrap();
        let path = ring_file::prepare(home.path()).unwrap();
        if ring_file::open_direct(&path).is_err() {
            eprintln!("skipped: there is no O_DIRECT here");
            return;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let ending = Ending::default();
        let (sender, ready) = mpsc::channel();
        let told = ending.clone();
        let serve = move || {
            let say = move || Ok(sender.send(())?);
            match bare {
                Bare::Epoll => epoll::serve(listener, &path, None, &told, say),
                Bare::Glommio => {
                    drop(listener);
                    glommio::serve(address, path, None, told, say)
                }
            }
        };
        let server = std::thread::Builder::new().spawn(serve).unwrap();
        if ready.recv_timeout(Duration::from_secs(60)).is_err() {
            panic!("{bare:?} was never ready: {:?}", server.join());
        }
        let payloads = Payloads::build(&PayloadKind::Random, 5000, 1).unwrap();
        let settings = LoadSettings {
            warm_up: Duration::ZERO,
            counted: Duration::from_secs(30),
            in_flight: 3,
            rate: None,
            batch_count_max: Some(2000),
            when_full: WhenFull::Fail,
        };
        let mut load = Load::connect(&to_bare(&address.to_string(), 5)).unwrap();
        let sample = load.run(&payloads, settings, &mut Unobserved).unwrap();
        assert!((2000..=2015).contains(&sample.answered_batches), "{bare:?}: {}", sample.answered_batches);
        ending.ends.store(true, Ordering::Release);
        drop(TcpStream::connect(address));
        server.join().unwrap().unwrap();
    }
}

#[test]
fn a_client_that_sends_half_a_frame_and_goes_leaves_the_others_alone() {
    let mut received = Received::default();
    let whole = request(1, b"payload");
    received.push(&whole[..whole.len() - 1]);
    assert!(received.front().is_none() && !received.is_empty());
    received.push(&whole[whole.len() - 1..]);
    assert_eq!(received.front().map(|(_, frame)| Bytes::copy_from_slice(frame)), Some(Bytes::from(whole)));
}
