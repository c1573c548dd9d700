use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{Process, SimExecutor, Stop};

type Trace = Rc<RefCell<Vec<u32>>>;

/// Ten tasks that note their number, three times each, with a sleep in between.
fn trace_of_ten_tasks(seed: u64) -> Vec<u32> {
    let executor = SimExecutor::new(seed);
    let trace = Trace::default();
    for number in 0..10 {
        let (handle, trace) = (executor.handle(), Rc::clone(&trace));
        executor.spawn(async move {
            for _ in 0..3 {
                trace.borrow_mut().push(number);
                handle.sleep(1000).await;
            }
        });
    }
    executor.run_until_stalled();
    trace.take()
}

#[test]
fn the_seed_decides_the_order_of_ready_tasks() {
    let orders: Vec<_> = (0..20).map(trace_of_ten_tasks).collect();
    assert!(orders.iter().all(|order| order.len() == 30));
    assert!(orders.windows(2).any(|pair| pair[0] != pair[1]));
    assert_eq!(orders, (0..20).map(trace_of_ten_tasks).collect::<Vec<_>>());
}

#[test]
fn time_jumps_to_the_next_timer_and_sleepers_wake_in_their_order() {
    let executor = SimExecutor::new(7);
    let trace = Trace::default();
    for (number, duration_ns) in [(1, 3_000_000_000), (2, 1_000_000_000), (3, 2_000_000_000)] {
        let (handle, trace) = (executor.handle(), Rc::clone(&trace));
        executor.spawn(async move {
            handle.sleep(duration_ns).await;
            trace.borrow_mut().push(number);
        });
    }
    assert_eq!(executor.run_for(1_500_000_000), Stop::Reached);
    assert_eq!(*trace.borrow(), [2]);
    assert_eq!(executor.now_ns(), 1_500_000_000);
    executor.run_until_stalled();
    assert_eq!(*trace.borrow(), [2, 3, 1]);
    assert_eq!(executor.run_for(1_000_000), Stop::Stalled);
}

#[test]
fn a_run_stops_at_any_event_and_goes_on_as_if_it_had_not() {
    let whole = trace_of_ten_tasks(3);
    let executor = SimExecutor::new(3);
    let trace = Trace::default();
    for number in 0..10 {
        let (handle, trace) = (executor.handle(), Rc::clone(&trace));
        executor.spawn(async move {
            for _ in 0..3 {
                trace.borrow_mut().push(number);
                handle.sleep(1000).await;
            }
        });
    }
    let mut event_count = 0;
    while executor.run_until_event(event_count) == Stop::Reached {
        assert_eq!(executor.event_count(), event_count);
        event_count += 1;
    }
    assert_eq!(trace.take(), whole);
}

#[test]
fn a_crash_ends_all_tasks_and_ignores_what_their_destructors_start() {
    struct StartsAnother(super::SimHandle, Rc<Cell<u32>>);
    impl Drop for StartsAnother {
        fn drop(&mut self) {
            let count = Rc::clone(&self.1);
            self.0.spawn(async move { count.set(count.get() + 1) });
        }
    }
    let executor = SimExecutor::new(1);
    let count = Rc::new(Cell::new(0));
    for duration_ns in [0, 1000, 1_000_000] {
        let (handle, held) = (executor.handle(), StartsAnother(executor.handle(), Rc::clone(&count)));
        executor.spawn(async move {
            handle.sleep(duration_ns).await;
            held.1.set(held.1.get() + 100);
        });
    }
    assert_eq!(executor.run_until_event(2), Stop::Reached);
    executor.crash();
    assert_eq!(executor.task_count(), 0);
    executor.run_until_stalled();
    assert_eq!(count.get(), 0);
}

#[test]
fn a_crash_of_one_process_leaves_the_tasks_of_others() {
    let executor = SimExecutor::new(1);
    let trace = Trace::default();
    for process in [Process::HARNESS, Process(1), Process(2)] {
        let (handle, trace) = (executor.handle(), Rc::clone(&trace));
        executor.spawn_in(process, async move {
            handle.sleep(1_000_000).await;
            trace.borrow_mut().push(u32::try_from(process.0).unwrap());
        });
    }
    assert_eq!(executor.run_for(10_000), Stop::Reached);
    executor.crash_process(Process(1));
    executor.run_until_stalled();
    let mut survivors = trace.take();
    survivors.sort_unstable();
    assert_eq!(survivors, [0, 2]);
}

#[test]
fn a_sleep_that_is_dropped_wakes_nobody() {
    let executor = SimExecutor::new(1);
    let handle = executor.handle();
    executor.block_on(async move {
        let mut long = Box::pin(handle.sleep(1_000_000_000));
        let short = handle.sleep(1000);
        futures_util::future::select(&mut long, Box::pin(short)).await;
        drop(long);
    });
    executor.run_until_stalled();
    assert!(executor.now_ns() < 1_000_000);
}

#[test]
fn the_wall_clock_jumps_while_the_monotonic_one_goes_on() {
    let executor = SimExecutor::new(1);
    let before = executor.now();
    assert_eq!(executor.run_for(1_000_000), Stop::Stalled);
    executor.set_realtime_skew_ns(-3_600_000_000_000);
    let after = executor.now();
    assert_eq!(after.monotonic.0, 1_000_000);
    assert_eq!(before.realtime.0 - after.realtime.0, 3_600_000_000_000 - 1_000_000);
}

#[test]
#[should_panic(expected = "simulation of seed 42 is stuck")]
fn a_task_that_spins_is_caught_by_name_of_its_seed() {
    let executor = SimExecutor::new(42);
    executor.spawn(std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    }));
    executor.run_until_stalled();
}

#[test]
#[should_panic(expected = "seed 5: the awaited task waits for ever")]
fn waiting_for_what_never_comes_is_caught() {
    SimExecutor::new(5).block_on(std::future::pending::<()>());
}
