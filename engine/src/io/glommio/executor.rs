//! Starts an executor on a core, with settings that were measured and errors instead of panics.

use std::future::Future;
use std::panic;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ::glommio::{LocalExecutor, LocalExecutorBuilder, Placement, PoolPlacement};
use thiserror::Error;

use super::super::fitness::DirectIo;
use super::{GlommioDisk, GlommioRuntime, host, warm_up};

/// Requests that one ring takes at a time.
pub(super) const RING_DEPTH: u32 = 256;
/// How long a busy task queue runs before its executor looks at the rings again. glommio's own 100 ms delay
/// wake-ups by as much; 500 µs cost up to a quarter of the CPU.
const PREEMPT_AFTER: Duration = Duration::from_millis(5);

/// How long an executor sleeps at most before it looks at its rings again. If a wake-up is lost, below us or in the
/// kernel, whoever waits for the operation is late by this much and does not wait for ever.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// What an executor is started with.
#[derive(Clone, Debug)]
pub struct ExecutorSettings {
    /// The thread's name, for panics and `ps`.
    pub name: String,
    /// The CPU to stay on, one of [`usable_cpus`](super::usable_cpus); `None` lets the kernel choose.
    pub core: Option<usize>,
    /// Whether files bypass the page cache.
    pub direct_io: DirectIo,
    /// An existing directory on the file system of the data: a nameless file is written there and dropped.
    pub directory: PathBuf,
    /// How many executors this process starts in all: they share the limit of locked memory.
    pub executor_count: usize,
}

/// An executor that is about to be started.
#[derive(Clone, Debug)]
pub struct ShardExecutor {
    settings: ExecutorSettings,
}

/// A running executor on a thread of its own.
#[derive(Debug)]
pub struct ShardThread<T> {
    handle: JoinHandle<Result<T, StartError>>,
}

/// Why an executor could not be started, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StartError {
    /// The host's switch is off.
    #[error(
        "io_uring is switched off on this host (kernel.io_uring_disabled = {value}): an administrator can switch it \
         on with `sysctl kernel.io_uring_disabled=0`; in a container this has to be done on the host"
    )]
    IoUringDisabled {
        /// The switch as it stands.
        value: String,
    },
    /// A filter does not let the call through.
    #[error(
        "io_uring is blocked for this process ({detail}): containers forbid it by default; allow io_uring_setup, \
         io_uring_enter and io_uring_register in the container's seccomp profile (docker and podman: \
         `--security-opt seccomp=profile.json`; Kubernetes: `securityContext.seccompProfile`), or in systemd's \
         SystemCallFilter"
    )]
    IoUringBlocked {
        /// The system's own words.
        detail: String,
    },
    /// The kernel has an io_uring from before 5.12.
    #[error("this kernel's io_uring is too old: Linux 5.12 is the least, 6.1 or later is recommended")]
    KernelTooOld,
    /// The kernel does not know the call, or a filter says so in its place: before Linux 6.6 nothing tells which.
    #[error(
        "there is no io_uring for this process ({detail}): either this kernel lacks it, Linux 5.12 is the least and \
         6.1 or later is recommended; or a filter hides it: allow io_uring_setup, io_uring_enter and \
         io_uring_register in the container's seccomp profile, or in systemd's SystemCallFilter"
    )]
    IoUringMissing {
        /// The system's own words.
        detail: String,
    },
    /// The kernel has io_uring and could not set one up.
    #[error("io_uring could not be set up ({detail}): check the limits of open files (ulimit -n) and of memory")]
    IoUringFailed {
        /// The system's own words.
        detail: String,
    },
    /// The rings' memory does not fit the limit of locked memory.
    #[error(
        "the limit of locked memory is {limit_bytes} bytes and the executors of this process need {needed_bytes}, \
         better {wanted_bytes}: raise it (`ulimit -l`, LimitMEMLOCK= in systemd, `--ulimit memlock=` in docker) or \
         use fewer cores"
    )]
    LockedMemory {
        /// The limit (RLIMIT_MEMLOCK).
        limit_bytes: u64,
        /// What is needed to start.
        needed_bytes: u64,
        /// What gives every executor its full registered memory.
        wanted_bytes: u64,
    },
    /// The kernel does not say which CPUs there are.
    #[error("the CPUs of this process cannot be asked for ({detail})")]
    CpusUnknown {
        /// The system's own words.
        detail: String,
    },
    /// The core is offline, or not ours.
    #[error("CPU {core} is offline or not in this process's CPU set; usable are {usable:?}")]
    CpuNotUsable {
        /// The core that was asked for.
        core: usize,
        /// The cores that can be.
        usable: Vec<usize>,
    },
    /// The nameless file could not be written.
    #[error("{} cannot be written to ({detail}): the executor needs a scratch file there", directory.display())]
    Scratch {
        /// Where.
        directory: PathBuf,
        /// The system's own words.
        detail: String,
    },
    /// glommio would poll the disk, at the price of the whole core.
    #[error(
        "the executor took the disk of {} for one that is polled, which would burn its core: a direct file was \
         opened on this thread before the executor was started",
        directory.display()
    )]
    BusyPolling {
        /// Where.
        directory: PathBuf,
    },
    /// glommio would panic at its look into sysfs.
    #[error("{} is missing, and the executor reads the disk's properties there: start with --no-direct", path.display())]
    DeviceUnreadable {
        /// What is missing.
        path: PathBuf,
    },
    /// The thread or the executor could not be made.
    #[error("the executor could not be started ({detail})")]
    Failed {
        /// The system's own words.
        detail: String,
    },
}

impl ShardExecutor {
    /// An executor with these settings.
    pub fn new(settings: ExecutorSettings) -> Self {
        Self { settings }
    }

    /// Runs `job` on the calling thread until it ends, then drops what it spawned. With a core in the settings the
    /// calling thread stays bound to it afterwards.
    pub fn run<F, Job, T>(self, job: F) -> Result<T, StartError>
    where
        F: FnOnce(GlommioRuntime) -> Job,
        Job: Future<Output = T>,
    {
        let executor = self.build()?;
        let ExecutorSettings { direct_io, directory, .. } = self.settings;
        executor.run(async move {
            warm_up::warm_up(direct_io, &directory).await?;
            ::glommio::spawn_local(wake_now_and_then()).detach();
            Ok(job(GlommioRuntime::new(GlommioDisk::new(direct_io))).await)
        })
    }

    /// Runs `job` on a thread of its own. Returns as soon as the executor runs, or with the reason why it does not.
    pub fn spawn<F, Job, T>(self, job: F) -> Result<ShardThread<T>, StartError>
    where
        F: FnOnce(GlommioRuntime) -> Job + Send + 'static,
        Job: Future<Output = T>,
        T: Send + 'static,
    {
        let (started, outcome) = mpsc::sync_channel(1);
        let body = {
            let executor = self.clone();
            move || {
                executor.run(move |runtime| {
                    started.send(()).expect("whoever spawns waits for this");
                    job(runtime)
                })
            }
        };
        let spawned = thread::Builder::new().name(self.settings.name).spawn(body);
        let handle = spawned.map_err(|error| StartError::Failed { detail: error.to_string() })?;
        match outcome.recv() {
            Ok(()) => Ok(ShardThread { handle }),
            Err(mpsc::RecvError) => match handle.join() {
                Ok(Err(error)) => Err(error),
                Ok(Ok(_)) => unreachable!("a job that ran said so first"),
                Err(panic) => panic::resume_unwind(panic),
            },
        }
    }

    fn build(&self) -> Result<LocalExecutor, StartError> {
        host::check_io_uring()?;
        let io_memory_bytes = host::io_memory_bytes(self.settings.executor_count)?;
        let placement = match self.settings.core {
            None => Placement::Unbound,
            Some(core) => {
                host::check_core(core)?;
                Placement::Fixed(core)
            }
        };
        LocalExecutorBuilder::new(placement)
            .name(&self.settings.name)
            .ring_depth(RING_DEPTH as usize)
            .io_memory(io_memory_bytes)
            .preempt_timer(PREEMPT_AFTER)
            // Otherwise the helper thread competes with the shard for its core.
            .blocking_thread_pool_placement(PoolPlacement::Unbound(1))
            .make()
            .map_err(|error| StartError::Failed { detail: error.to_string() })
    }
}

/// Never ends: it goes with its executor.
async fn wake_now_and_then() {
    loop {
        ::glommio::timer::sleep(SLEEP_MAX).await;
    }
}

impl<T> ShardThread<T> {
    /// Waits for the job to end and gives its output. A panic of the job goes on here.
    pub fn join(self) -> T {
        match self.handle.join() {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => unreachable!("the executor had started: {error}"),
            Err(panic) => panic::resume_unwind(panic),
        }
    }

    /// Whether the job has ended.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}
