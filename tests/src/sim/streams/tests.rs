use rand::RngCore;

use super::{client_stream, plan_stream, runtime_stream, step_streams, streams};

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
            let step = step_streams(seed, 1);
            let own = [plan_stream(seed), runtime_stream(seed, 1, 0), client_stream(seed, 0), client_stream(seed, 1)];
            let of_steps = [step.workload, step.faults, step.crash, step_streams(seed, 2).workload];
            let of_world = [all.scheduling, all.disk, all.faults, all.workload, all.crash, all.network];
            of_world.into_iter().chain(own).chain(of_steps)
        })
        .map(|mut stream| stream.next_u64())
        .collect();
    firsts.sort_unstable();
    firsts.dedup();
    assert_eq!(firsts.len(), 140);
}
