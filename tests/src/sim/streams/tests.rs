use rand::RngCore;

use super::{client_stream, runtime_stream, streams};

#[test]
fn drawing_more_from_one_stream_shifts_no_other() {
    let (mut one, mut other) = (streams(1), streams(1));
    for _ in 0..100 {
        one.faults.next_u64();
    }
    let rest = |streams: &mut super::Streams| {
        [&mut streams.scheduling, &mut streams.disk, &mut streams.workload, &mut streams.crash, &mut streams.network]
            .map(RngCore::next_u64)
    };
    assert_eq!(rest(&mut one), rest(&mut other));
}

#[test]
fn no_two_streams_or_seeds_are_alike() {
    let mut firsts: Vec<u64> = (0..10)
        .flat_map(|seed| {
            let all = streams(seed);
            let own = [runtime_stream(seed, 1, 0), client_stream(seed, 0), client_stream(seed, 1)];
            [all.scheduling, all.disk, all.faults, all.workload, all.crash, all.network].into_iter().chain(own)
        })
        .map(|mut stream| stream.next_u64())
        .collect();
    firsts.sort_unstable();
    firsts.dedup();
    assert_eq!(firsts.len(), 90);
}
