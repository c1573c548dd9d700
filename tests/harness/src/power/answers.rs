//! Changes are reported a little later than they are made, in an order of their own: so several are under way at once.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::disk::Disk;

/// The longest time between a change and its report.
const LATE_US_MAX: u64 = 300;

type Answer = Box<dyn FnOnce() + Send>;

/// Reports on their way.
pub(super) struct Answers {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    /// By when they are due, and the index of the change.
    due: BTreeMap<(Instant, usize), Answer>,
    random: ChaCha8Rng,
    is_over: bool,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("under_way", &self.shared.queue().due.len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next report when it is due; none when all are given and there will be no more.
    fn next(&self) -> Option<(usize, Answer)> {
        let mut queue = self.queue();
        loop {
            let now = Instant::now();
            let first = queue.due.first_key_value().map(|(key, _)| *key);
            queue = match first {
                Some((due, index)) if due <= now || queue.is_over => {
                    return queue.due.remove(&(due, index)).map(|answer| (index, answer));
                }
                None if queue.is_over => return None,
                Some((due, _)) => self.changed.wait_timeout(queue, due - now).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Answers {
    /// Reports of a disk; the seed decides how late each is.
    pub(super) fn new(disk: Disk, seed: u64) -> Self {
        let queue = Queue { due: BTreeMap::new(), random: ChaCha8Rng::seed_from_u64(seed), is_over: false };
        let shared = Arc::new(Shared { queue: Mutex::new(queue), changed: Condvar::new() });
        let reporting = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            while let Some((index, answer)) = reporting.next() {
                // The event comes before the answer: who hears the answer finds the event counted.
                disk.report(index);
                answer();
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// Reports a change by and by.
    pub(super) fn later(&self, index: usize, answer: impl FnOnce() + Send + 'static) {
        let mut queue = self.shared.queue();
        let late = Duration::from_micros(queue.random.random_range(0..LATE_US_MAX));
        queue.due.insert((Instant::now() + late, index), Box::new(answer));
        drop(queue);
        self.shared.changed.notify_one();
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.shared.queue().is_over = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there was told by its thread.
            let _ = thread.join();
        }
    }
}
