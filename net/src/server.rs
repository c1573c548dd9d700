//! The server: executors with shards and connections, and a control thread beside them.
//!
//! [`run`] opens the shards of a directory on one executor per core, serves until it is told to stop, and drains.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use florin_engine::format::identity::Identity;
use florin_engine::io::glommio::{ExecutorSettings, ShardExecutor, StartError, usable_cpus};
use florin_engine::model::{Id128, ShardId};
use florin_engine::shard::open::{OpenError, OpenReport};
use thiserror::Error;

pub mod core;
pub mod executor;
pub mod outlet;
mod reports;
pub mod settings;
pub mod shared;
mod signals;

pub use settings::{HTTP_PORT_DEFAULT, PORT_DEFAULT, ServerSettings, SettingsError};
pub use signals::StopSignals;

use crate::http;
use crate::io::glommio::GlommioNetwork;
use crate::protocol::ShardState;
use crate::route::{MeshPort, mesh};
use core::Core;
use executor::{Notice, run_executor};
use shared::ServerShared;

/// How often the control thread looks whether shards serve.
const LOOK: Duration = Duration::from_millis(2);
/// How long opened shards may take to serve before the server says that it is ready all the same.
const SERVING_WITHIN: Duration = Duration::from_secs(30);

/// Where a server listens, once it serves.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Shard 0, or the first that was opened.
    pub address: SocketAddr,
    /// The port of each shard.
    pub ports: Vec<u16>,
    /// Health and metrics.
    pub http: Option<SocketAddr>,
    /// Which directory is served.
    pub directory_id: Id128,
    /// What opening each shard found; shards that were refused are not among them.
    pub reports: Vec<OpenReport>,
    /// Shards that were refused, and why.
    pub refused: Vec<(ShardId, OpenError)>,
}

/// Why a server did not start, or did not end in order.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Settings that cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// An executor could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A port could not be listened on.
    #[error("{what} cannot listen on {address} ({error}): choose another address or port, or end whoever has it")]
    Listen {
        /// Who would have.
        what: String,
        /// Where.
        address: SocketAddr,
        /// The system's own words.
        error: std::io::Error,
    },
    /// No shard could be opened.
    #[error("no shard could be opened{}", first_of(refused))]
    NothingOpened {
        /// Every shard, and why.
        refused: Vec<(ShardId, OpenError)>,
    },
    /// The control thread could not be started.
    #[error("the control thread could not be started ({0})")]
    Control(std::io::Error),
    /// The drain took too long.
    #[error("not everything ended within {seconds} s of the wish to stop: the next start recovers as after a crash")]
    DrainTimedOut {
        /// How long it was waited for.
        seconds: u64,
    },
}

fn first_of(refused: &[(ShardId, OpenError)]) -> String {
    refused.first().map_or_else(String::new, |(shard, error)| format!("; shard {shard}: {error}"))
}

/// Serves the shards of a directory that is locked by the caller, until `signals` say stop; then drains. `ready` is
/// told once every shard that was opened serves.
///
/// # Errors
/// If the server could not start, or could not end in order.
pub fn run(
    settings: &ServerSettings,
    identity: Identity,
    signals: StopSignals,
    ready: impl FnOnce(&Listening),
) -> Result<(), ServeError> {
    settings.check(identity.shard_count)?;
    let cores = cores_for(settings, identity.shard_count)?;
    let ports = mesh(cores.len());
    let doorbells = Arc::clone(ports[0].doorbells());
    let shared =
        Arc::new(ServerShared::new(identity.directory_id, settings.advertise.clone(), identity.shard_count, doorbells));
    let http = http::Control::start(settings.http, &shared)?;
    let (notify, notices) = channel();
    let count = cores.len();
    for (port, core) in ports.into_iter().zip(cores) {
        let started = start_executor(settings, identity, core, count, port, &shared, notify.clone());
        if let Err(error) = started {
            shared.stop();
            return Err(error);
        }
    }
    drop(notify);
    signals.watch(&shared);
    let outcome = serve(settings, &shared, &notices, count, |reports, refused| {
        let listening = Listening {
            address: first_address(settings, &shared),
            ports: shared.shards.iter().map(shared::SharedShard::port).collect(),
            http: http.address(),
            directory_id: identity.directory_id,
            reports,
            refused,
        };
        ready(&listening);
    });
    http.stop();
    outcome
}

/// The cores to use: one executor each, as many as there are shards.
fn cores_for(settings: &ServerSettings, shard_count: u16) -> Result<Vec<usize>, StartError> {
    let mut cores = usable_cpus()?;
    let wanted = usize::from(shard_count).min(settings.executor_count_max.unwrap_or(usize::MAX));
    if cores.len() > wanted {
        let idle = cores.len() - wanted;
        tracing::info!(shards = shard_count, executors = wanted, idle, "some cores have nothing to do");
    }
    cores.truncate(wanted.max(1));
    Ok(cores)
}

fn start_executor(
    settings: &ServerSettings,
    identity: Identity,
    core: usize,
    executor_count: usize,
    port: MeshPort,
    shared: &Arc<ServerShared>,
    notify: std::sync::mpsc::Sender<Notice>,
) -> Result<(), ServeError> {
    let number = port.executor();
    let executor = ExecutorSettings {
        name: format!("florin-{number}"),
        core: Some(core),
        direct_io: settings.direct_io,
        directory: settings.directory.clone(),
        executor_count,
    };
    let (settings, shared) = (settings.clone(), Arc::clone(shared));
    ShardExecutor::new(executor).spawn(move |runtime| async move {
        let core = Rc::new(Core::new(GlommioNetwork::new(runtime), settings, shared, port));
        run_executor(core, identity, |notice| {
            // Nobody listens any more if the start failed elsewhere.
            let _ = notify.send(notice);
        })
        .await;
    })?;
    Ok(())
}

/// Waits for the executors to start, to be told to stop, and to end.
fn serve(
    settings: &ServerSettings,
    shared: &ServerShared,
    notices: &Receiver<Notice>,
    executor_count: usize,
    ready: impl FnOnce(Vec<OpenReport>, Vec<(ShardId, OpenError)>),
) -> Result<(), ServeError> {
    let mut outcome = Ok(());
    let (mut reports, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..executor_count {
        match notices.recv() {
            Ok(Notice::Started(shards)) => {
                for (shard, result) in shards {
                    match result {
                        Ok(report) => reports.push(report),
                        Err(error) => refused.push((shard, error)),
                    }
                }
            }
            Ok(Notice::CannotListen { shard, address, error }) => {
                outcome = Err(ServeError::Listen { what: format!("shard {shard}"), address, error });
            }
            Ok(Notice::Ended) | Err(_) => break,
        }
    }
    reports.sort_by_key(|report| report.shard);
    refused.sort_by_key(|(shard, _)| *shard);
    if outcome.is_ok() && reports.is_empty() {
        outcome = Err(ServeError::NothingOpened { refused: refused.clone() });
    }
    if outcome.is_ok() {
        wait_until_serving(shared);
        if !shared.is_stopping() {
            ready(reports, refused);
        }
    } else {
        shared.stop();
    }
    wait_for_end(settings, shared, notices)?;
    outcome
}

fn wait_until_serving(shared: &ServerShared) {
    let mut waited = Duration::ZERO;
    let is_starting = || shared.shards.iter().any(|shard| shard.state() == ShardState::Starting);
    while is_starting() && !shared.is_stopping() && waited < SERVING_WITHIN {
        pause(LOOK);
        waited += LOOK;
    }
}

/// Waits for the wish to stop for as long as it takes, and then for the executors to end, but not for ever.
fn wait_for_end(
    settings: &ServerSettings,
    shared: &ServerShared,
    notices: &Receiver<Notice>,
) -> Result<(), ServeError> {
    let drain = Duration::from_nanos(settings.drain_ns);
    let mut drained = Duration::ZERO;
    loop {
        // Every executor holds a sender until it is over: when all are gone, all have ended.
        match notices.recv_timeout(LOOK * 10) {
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if shared.is_stopping() => {
                drained += LOOK * 10;
                if drained > drain {
                    return Err(ServeError::DrainTimedOut { seconds: drain.as_secs() });
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the control thread is no shard's")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

fn first_address(settings: &ServerSettings, shared: &ServerShared) -> SocketAddr {
    let port = shared.shards.iter().map(shared::SharedShard::port).find(|port| *port != 0).unwrap_or(settings.port);
    SocketAddr::new(settings.listen, port)
}
