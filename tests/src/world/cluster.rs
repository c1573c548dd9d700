//! The simulated server: every shard of one directory in one process, their messages to each other, and the replies
//! on their way to the clients.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;

use florin_engine::io::{DiskError, Runtime};
use florin_engine::model::{RequestId, ShardId};
use florin_engine::shard::driver::{Outlet, ShardDriver};
use florin_engine::shard::open::{OpenError, OpenReport, OpenSettings, open_shard, read_identity};
use florin_engine::shard::{Reply, Request, ShardMessage, ShardStatus};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::sim::{SimDevice, SimExecutor, SimRuntime};

/// Where the simulated directory is.
pub const DATA: &str = "/data";

/// Something the server did that a client or operator sees.
#[derive(Debug)]
pub enum Seen {
    /// A reply.
    Reply(RequestId, Reply),
    /// A shard reported a failed write.
    Failed(ShardId),
    /// A shard closed.
    Stopped(ShardId, bool),
}

/// One shard of the process.
enum Slot {
    Opening,
    Up(ShardDriver<SimRuntime, SimOutlet>),
    Refused(OpenError),
}

/// What shards and harness share.
struct Shared {
    slots: RefCell<Vec<Slot>>,
    seen: RefCell<VecDeque<Seen>>,
    reports: RefCell<Vec<OpenReport>>,
    messages: RefCell<ChaCha8Rng>,
    message_loss_ppm: u32,
    message_counts: Rc<MessageCounts>,
}

/// Messages between shards that were lost, and that came twice.
#[derive(Debug, Default)]
pub struct MessageCounts {
    /// Lost.
    pub lost: Cell<u64>,
    /// Twice.
    pub twice: Cell<u64>,
}

/// A running process.
pub struct Cluster {
    shared: Rc<Shared>,
    process: crate::sim::Process,
}

/// The outlet of one shard.
pub struct SimOutlet {
    shared: Rc<Shared>,
    runtime: SimRuntime,
}

impl Outlet for SimOutlet {
    fn reply(&self, id: RequestId, reply: Reply) {
        self.shared.seen.borrow_mut().push_back(Seen::Reply(id, reply));
    }

    fn send(&self, from: ShardId, to: ShardId, message: ShardMessage) {
        let delays_ns: Vec<u64> = {
            let mut random = self.shared.messages.borrow_mut();
            let happens = |random: &mut ChaCha8Rng| random.random_range(0..1_000_000) < self.shared.message_loss_ppm;
            let copies = usize::from(!happens(&mut random)) + usize::from(happens(&mut random));
            let counts = &self.shared.message_counts;
            match copies {
                0 => counts.lost.set(counts.lost.get() + 1),
                1 => {}
                _ => counts.twice.set(counts.twice.get() + 1),
            }
            (0..copies).map(|_| random.random_range(0..200_000)).collect()
        };
        for delay_ns in delays_ns {
            let (shared, runtime, message) = (Rc::clone(&self.shared), self.runtime.clone(), message.clone());
            self.runtime.spawn(async move {
                runtime.sleep(delay_ns).await;
                if let Some(driver) = shared.driver(to) {
                    driver.deliver(from, message);
                }
            });
        }
    }

    fn failed(&self, shard: ShardId, _error: &DiskError) {
        self.shared.seen.borrow_mut().push_back(Seen::Failed(shard));
    }

    fn stopped(&self, shard: ShardId, clean: bool) {
        self.shared.seen.borrow_mut().push_back(Seen::Stopped(shard, clean));
    }
}

impl Shared {
    fn driver(&self, shard: ShardId) -> Option<ShardDriver<SimRuntime, SimOutlet>> {
        match self.slots.borrow().get(usize::from(shard.0)) {
            Some(Slot::Up(driver)) => Some(driver.clone()),
            Some(Slot::Opening | Slot::Refused(_)) | None => None,
        }
    }
}

impl Drop for Cluster {
    /// A driver holds its outlet, which holds what is shared, which holds the driver.
    fn drop(&mut self) {
        let slots = std::mem::take(&mut *self.shared.slots.borrow_mut());
        drop(slots);
    }
}

impl Cluster {
    /// Starts a process on the device; its shards open in the background.
    pub fn start(
        executor: &SimExecutor,
        device: &SimDevice,
        shard_count: u16,
        settings: OpenSettings,
        messages: ChaCha8Rng,
        message_loss_ppm: u32,
        message_counts: &Rc<MessageCounts>,
    ) -> Self {
        let disk = device.mount();
        let process = disk.process();
        let shared = Rc::new(Shared {
            slots: RefCell::new((0..shard_count).map(|_| Slot::Opening).collect()),
            seen: RefCell::default(),
            reports: RefCell::default(),
            messages: RefCell::new(messages),
            message_loss_ppm,
            message_counts: Rc::clone(message_counts),
        });
        for number in 0..shard_count {
            let runtime = SimRuntime::new(executor.handle(), disk.clone(), number);
            let shared = Rc::clone(&shared);
            runtime.spawn(open(runtime.clone(), shared, ShardId(number), settings));
        }
        Self { shared, process }
    }

    /// The process, to end it.
    pub fn process(&self) -> crate::sim::Process {
        self.process
    }

    /// Whether every shard is either up or refused.
    pub fn is_settled(&self) -> bool {
        !self.shared.slots.borrow().iter().any(|slot| matches!(slot, Slot::Opening))
    }

    /// Whether every shard that is up takes captures or has failed.
    pub fn is_serving(&self) -> bool {
        self.statuses().iter().all(|status| status.serving || status.failed.is_some())
    }

    /// Why a shard was not opened, if one was not.
    pub fn refusal(&self) -> Option<(ShardId, OpenError)> {
        let slots = self.shared.slots.borrow();
        (0u16..).zip(slots.iter()).find_map(|(number, slot)| match slot {
            Slot::Refused(error) => Some((ShardId(number), error.clone())),
            Slot::Opening | Slot::Up(_) => None,
        })
    }

    /// The shards that were not opened.
    pub fn refused(&self) -> Vec<ShardId> {
        let slots = self.shared.slots.borrow();
        let refused = (0u16..).zip(slots.iter()).filter(|(_, slot)| matches!(slot, Slot::Refused(_)));
        refused.map(|(number, _)| ShardId(number)).collect()
    }

    /// What opening found, shard by shard.
    pub fn reports(&self) -> Vec<OpenReport> {
        self.shared.reports.borrow().clone()
    }

    /// How the shards that are up are doing.
    pub fn statuses(&self) -> Vec<ShardStatus> {
        let slots = self.shared.slots.borrow();
        slots.iter().filter_map(|slot| if let Slot::Up(driver) = slot { Some(driver.status()) } else { None }).collect()
    }

    /// The driver of a shard that is up.
    pub fn driver(&self, shard: ShardId) -> Option<ShardDriver<SimRuntime, SimOutlet>> {
        self.shared.driver(shard)
    }

    /// Sends a request to a shard. `false`: it is not up, and the request is lost.
    pub fn submit(&self, shard: ShardId, id: RequestId, request: Request) -> bool {
        let driver = self.shared.driver(shard);
        let up = driver.is_some();
        if let Some(driver) = driver {
            driver.submit(id, request);
        }
        up
    }

    /// Closes every shard that is up.
    pub fn shutdown(&self) {
        let count = self.shared.slots.borrow().len();
        for number in 0..count {
            if let Some(driver) = self.shared.driver(ShardId(u16::try_from(number).expect("few shards"))) {
                driver.shutdown();
            }
        }
    }

    /// What was seen since the last call.
    pub fn take_seen(&self) -> Vec<Seen> {
        self.shared.seen.borrow_mut().drain(..).collect()
    }

    /// Whether anything was seen that was not taken.
    pub fn has_seen(&self) -> bool {
        !self.shared.seen.borrow().is_empty()
    }
}

async fn open(runtime: SimRuntime, shared: Rc<Shared>, shard: ShardId, settings: OpenSettings) {
    let directory = Path::new(DATA);
    let opened = match read_identity(runtime.disk(), directory).await {
        Ok(identity) => open_shard(&runtime, directory, &identity, shard, settings, |_cuts| {}).await,
        Err(error) => Err(error),
    };
    let slot = match opened {
        Ok(opened) => {
            shared.reports.borrow_mut().push(opened.report.clone());
            let outlet = SimOutlet { shared: Rc::clone(&shared), runtime: runtime.clone() };
            Slot::Up(ShardDriver::start(runtime, opened, outlet))
        }
        Err(error) => Slot::Refused(error),
    };
    shared.slots.borrow_mut()[usize::from(shard.0)] = slot;
}
