//! A seeded executor of one thread with virtual time.
//!
//! The seed picks the next of the ready tasks; when none is ready, time jumps to the next timer. Each poll and each
//! jump is an *event* with a number, so that a crash can be placed at any of them and found again.

mod task;
#[cfg(test)]
mod tests;
mod timer;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use florin_engine::model::{Monotonic, Now, Realtime};
use rand::RngCore;
use rand_chacha::ChaCha8Rng;

use self::task::{Ready, Task, TaskId};
pub use self::timer::Sleep;
use super::streams::streams;

/// Where the wall clock of every simulation starts: 2026-01-01T00:00:00Z.
pub const REALTIME_START_NS: u64 = 1_767_225_600_000_000_000;
/// Events of one simulation, unless another limit is set.
pub const EVENT_COUNT_MAX: u64 = 50_000_000;
/// Polls in a row without all tasks coming to rest: beyond, something spins.
pub const BUSY_POLL_COUNT_MAX: u64 = 1_000_000;
/// The virtual time of one poll, exclusive.
const POLL_NS_END: u64 = 1024;
const _: () = assert!(POLL_NS_END.is_power_of_two());

/// Whose a task is: those of one process end together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process(pub u64);

impl Process {
    /// Clients and checkers: what is not under test and survives its crashes.
    pub const HARNESS: Self = Self(0);
}

/// Why a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Stop {
    /// What was waited for has happened.
    Reached,
    /// No task is ready and no timer set: nothing can ever happen again by itself.
    Stalled,
}

/// Owns the tasks of one simulation; dropping it drops them.
pub struct SimExecutor {
    handle: SimHandle,
}

/// What tasks hold of their executor. Clones share it.
#[derive(Clone)]
pub struct SimHandle {
    core: Rc<Core>,
}

struct Core {
    seed: u64,
    random: RefCell<ChaCha8Rng>,
    now_ns: Cell<u64>,
    realtime_skew_ns: Cell<i64>,
    tasks: RefCell<BTreeMap<TaskId, Task>>,
    task_next: Cell<u64>,
    ready: Arc<Ready>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    timer_next: Cell<u64>,
    event_count: Cell<u64>,
    event_count_max: Cell<u64>,
    busy_poll_count: Cell<u64>,
    /// Tasks are being dropped: what their destructors start has no effect.
    crashing: Cell<bool>,
}

enum Step {
    Ran,
    Deadline,
    Stalled,
}

impl SimExecutor {
    /// An executor without tasks at virtual time zero.
    pub fn new(seed: u64) -> Self {
        let core = Core {
            seed,
            random: RefCell::new(streams(seed).scheduling),
            now_ns: Cell::new(0),
            realtime_skew_ns: Cell::new(0),
            tasks: RefCell::default(),
            task_next: Cell::new(0),
            ready: Arc::default(),
            timers: RefCell::default(),
            timer_next: Cell::new(0),
            event_count: Cell::new(0),
            event_count_max: Cell::new(EVENT_COUNT_MAX),
            busy_poll_count: Cell::new(0),
            crashing: Cell::new(false),
        };
        Self { handle: SimHandle { core: Rc::new(core) } }
    }

    /// What tasks and runtimes hold.
    pub fn handle(&self) -> SimHandle {
        self.handle.clone()
    }

    /// Runs until `condition` holds; it is asked before every event.
    pub fn run_until(&self, mut condition: impl FnMut() -> bool) -> Stop {
        while !condition() {
            if !matches!(self.core.step(u64::MAX), Step::Ran) {
                return Stop::Stalled;
            }
        }
        Stop::Reached
    }

    /// Runs for `duration_ns` of virtual time, which also passes when nothing happens any more.
    pub fn run_for(&self, duration_ns: u64) -> Stop {
        let deadline_ns = self.core.now_ns.get().saturating_add(duration_ns);
        while self.core.now_ns.get() < deadline_ns {
            match self.core.step(deadline_ns) {
                Step::Ran => {}
                Step::Deadline => return Stop::Reached,
                Step::Stalled => {
                    self.core.now_ns.set(deadline_ns);
                    return Stop::Stalled;
                }
            }
        }
        Stop::Reached
    }

    /// Runs until no task is ready and no timer set. A job that sleeps in a loop never lets it return.
    pub fn run_until_stalled(&self) {
        while matches!(self.core.step(u64::MAX), Step::Ran) {}
    }

    /// Runs until `event_count` events have happened since the start of the simulation.
    pub fn run_until_event(&self, event_count: u64) -> Stop {
        self.run_until(|| self.core.event_count.get() >= event_count)
    }

    /// Runs `task` as one of the harness, and everything else meanwhile, until it is done.
    ///
    /// # Panics
    /// When everything comes to rest before.
    pub fn block_on<T: 'static>(&self, task: impl Future<Output = T> + 'static) -> T {
        let result = Rc::new(RefCell::new(None));
        let slot = Rc::clone(&result);
        self.spawn(async move {
            let value = task.await;
            *slot.borrow_mut() = Some(value);
        });
        let _ = self.run_until(|| result.borrow().is_some());
        let value = result.borrow_mut().take();
        value.unwrap_or_else(|| panic!("simulation of seed {}: the awaited task waits for ever", self.core.seed))
    }

    /// Ends every task at this instant. What their destructors start is ignored; writes in flight stay with the disk.
    pub fn crash(&self) {
        self.core.end_tasks(|_| true);
    }

    /// Ends every task of one process at this instant, as [`SimExecutor::crash`] does for all.
    pub fn crash_process(&self, process: Process) {
        self.core.end_tasks(|owner| owner == process);
    }

    /// Sets the wall clock off by `skew_ns` from where it would be; it may jump by any amount in either direction.
    pub fn set_realtime_skew_ns(&self, skew_ns: i64) {
        self.core.realtime_skew_ns.set(skew_ns);
    }

    /// Allows `event_count_max` events in all before the simulation counts as stuck.
    pub fn set_event_limit(&self, event_count_max: u64) {
        self.core.event_count_max.set(event_count_max);
    }
}

impl Deref for SimExecutor {
    type Target = SimHandle;

    fn deref(&self) -> &SimHandle {
        &self.handle
    }
}

impl Drop for SimExecutor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, event_count) = (self.core.seed, self.core.event_count.get());
            eprintln!("simulation of seed {seed} ended at event {event_count}, {} ns", self.core.now_ns.get());
        }
        self.crash();
    }
}

impl SimHandle {
    /// Starts a task of the harness.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.spawn_in(Process::HARNESS, task);
    }

    /// Starts a task of `process`.
    pub fn spawn_in(&self, process: Process, task: impl Future<Output = ()> + 'static) {
        let core = &self.core;
        if core.crashing.get() {
            return;
        }
        let id = TaskId(core.task_next.get());
        core.task_next.set(id.0 + 1);
        let task = Task::new(id, process, Box::pin(task), &core.ready);
        task.wake.schedule();
        core.tasks.borrow_mut().insert(id, task);
    }

    /// Resumes after `duration_ns` of virtual time, and never within the same poll.
    pub fn sleep(&self, duration_ns: u64) -> Sleep {
        Sleep::new(self.clone(), duration_ns)
    }

    /// Wakes a task at an instant, which nobody can call off any more.
    pub(in crate::sim) fn wake_at(&self, at_ns: u64, waker: Waker) {
        let tie = self.core.timer_next.get();
        self.core.timer_next.set(tie + 1);
        self.core.timers.borrow_mut().insert((at_ns, tie), waker);
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        let now_ns = self.core.now_ns.get();
        let realtime_ns =
            REALTIME_START_NS.saturating_add(now_ns).saturating_add_signed(self.core.realtime_skew_ns.get());
        Now { monotonic: Monotonic(now_ns), realtime: Realtime(realtime_ns) }
    }

    /// Virtual time since the start of the simulation.
    pub fn now_ns(&self) -> u64 {
        self.core.now_ns.get()
    }

    /// Events since the start of the simulation.
    pub fn event_count(&self) -> u64 {
        self.core.event_count.get()
    }

    /// Tasks that are not done.
    pub fn task_count(&self) -> usize {
        self.core.tasks.borrow().len()
    }

    /// The seed of the simulation.
    pub fn seed(&self) -> u64 {
        self.core.seed
    }
}

impl Core {
    /// One event, unless none is possible before `deadline_ns`.
    fn step(&self, deadline_ns: u64) -> Step {
        self.fire_due_timers();
        let random = self.random.borrow_mut().next_u64();
        if let Some(id) = self.ready.take_any(random >> 32) {
            self.now_ns.set(self.now_ns.get() + (random & (POLL_NS_END - 1)));
            self.count_event(self.busy_poll_count.get() + 1);
            self.poll(id);
            return Step::Ran;
        }
        let due_ns = self.timers.borrow().first_key_value().map(|((due_ns, _), _)| *due_ns);
        match due_ns {
            None => Step::Stalled,
            Some(due_ns) if due_ns > deadline_ns => {
                self.now_ns.set(deadline_ns);
                Step::Deadline
            }
            Some(due_ns) => {
                assert!(due_ns > self.now_ns.get(), "timers that are due were fired");
                self.now_ns.set(due_ns);
                self.count_event(0);
                self.fire_due_timers();
                Step::Ran
            }
        }
    }

    fn count_event(&self, busy_poll_count: u64) {
        self.event_count.set(self.event_count.get() + 1);
        self.busy_poll_count.set(busy_poll_count);
        let stuck = self.event_count.get() > self.event_count_max.get() || busy_poll_count > BUSY_POLL_COUNT_MAX;
        assert!(
            !stuck,
            "simulation of seed {} is stuck after {} events at {} ns, {busy_poll_count} polls without rest",
            self.seed,
            self.event_count.get(),
            self.now_ns.get()
        );
    }

    /// Fires all that is due together, so that the seed decides among the tasks they wake.
    fn fire_due_timers(&self) {
        let now_ns = self.now_ns.get();
        loop {
            let due = {
                let mut timers = self.timers.borrow_mut();
                match timers.first_entry() {
                    Some(timer) if timer.key().0 <= now_ns => timer.remove(),
                    _ => return,
                }
            };
            due.wake();
        }
    }

    fn poll(&self, id: TaskId) {
        let taken = self.tasks.borrow_mut().get_mut(&id).and_then(Task::take);
        // A task that has ended may have been woken before.
        let Some((mut future, waker)) = taken else { return };
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(()) => {
                let ended = self.tasks.borrow_mut().remove(&id);
                drop(ended);
            }
            Poll::Pending => {
                if let Some(task) = self.tasks.borrow_mut().get_mut(&id) {
                    task.put_back(future);
                }
            }
        }
    }

    fn end_tasks(&self, ends: impl Fn(Process) -> bool) {
        assert!(!self.crashing.replace(true), "a crash within a crash");
        let ended: Vec<Task> =
            self.tasks.borrow_mut().extract_if(.., |_, task| ends(task.process)).map(|(_, task)| task).collect();
        drop(ended);
        self.crashing.set(false);
    }
}
