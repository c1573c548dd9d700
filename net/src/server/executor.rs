//! One executor from its start to its end: ports bound, shards opened, everything served, everything drained.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use florin_engine::format::identity::Identity;
use florin_engine::journal::recovery::CutUnit;
use florin_engine::model::ShardId;
use florin_engine::shard::driver::ShardDriver;
use florin_engine::shard::open::{OpenError, OpenReport, OpenSettings, open_shard};

use super::core::{Core, Waiter};
use super::outlet::CoreOutlet;
use super::settings::ServerSettings;
use crate::connection::Event;
use crate::io::{Listener, Network, take_turns};
use crate::listener::{accept_connections, sweep_connections};
use crate::protocol::ShardState;
use crate::route::Parcel;

/// What is taken from other executors before everything else has its turn.
const PARCELS_PER_TURN: u32 = 256;
/// How often a starting executor looks whether its shards serve.
const START_LOOK_NS: u64 = 1_000_000;
/// How often a draining executor looks whether it is done.
const DRAIN_LOOK_NS: u64 = 2_000_000;
/// How long clients may take to receive their last answers.
const LAST_ANSWERS_NS: u64 = 2_000_000_000;

/// What an executor says of itself.
#[derive(Debug)]
pub enum Notice {
    /// Its ports are bound and its shards opened, or not.
    Started(Vec<(ShardId, Result<OpenReport, OpenError>)>),
    /// It could not bind a port; it ends.
    CannotListen {
        /// Whose port.
        shard: ShardId,
        /// Where.
        address: SocketAddr,
        /// The system's own words.
        error: std::io::Error,
    },
    /// It ended.
    Ended,
}

/// Runs an executor until the server stops: its shards of the directory, which go around over all executors. `notify`
/// is told how the start went, and when it is over.
pub async fn run_executor<N: Network>(core: Rc<Core<N>>, identity: Identity, notify: impl Fn(Notice)) {
    serve(&core, &identity, &notify).await;
    core.let_go_of_shards();
    notify(Notice::Ended);
}

async fn serve<N: Network>(core: &Rc<Core<N>>, identity: &Identity, notify: &impl Fn(Notice)) {
    let shared = &core.shared;
    let all = (0..identity.shard_count).map(ShardId);
    let shards: Vec<_> = all.filter(|shard| shared.executor_of(*shard) == core.mesh.executor()).collect();
    let listeners = match bind(&core.network, &core.settings, &shards) {
        Ok(listeners) => listeners,
        Err((shard, address, error)) => {
            notify(Notice::CannotListen { shard, address, error });
            return shared.note_drained();
        }
    };
    for (shard, listener) in shards.iter().zip(&listeners) {
        shared.shard(*shard).set_address(listener.address());
    }
    core.network.spawn_prompt(attend(Rc::clone(core)));
    let mut results = Vec::new();
    for shard in &shards {
        results.push((*shard, open(core, identity, *shard).await));
    }
    let opened_count = results.iter().filter(|(_, result)| result.is_ok()).count();
    notify(Notice::Started(results));
    let mut closings = Vec::new();
    for (shard, listener) in shards.iter().zip(listeners) {
        let closing = Rc::new(Event::default());
        core.network.spawn(accept_connections(Rc::clone(core), *shard, listener, Rc::clone(&closing)));
        closings.push(closing);
    }
    core.network.spawn(sweep_connections(Rc::clone(core)));
    core.network.spawn(publish_until_serving(Rc::clone(core)));
    core.stopping.happened().await;
    closings.iter().for_each(|closing| closing.notify());
    drain(core, opened_count).await;
}

type Bound<L> = Result<Vec<L>, (ShardId, SocketAddr, std::io::Error)>;

fn bind<N: Network>(network: &N, settings: &ServerSettings, shards: &[ShardId]) -> Bound<N::Listener> {
    let bind_one = |shard: &ShardId| {
        let address = settings.address_of(shard.0);
        network.listen(address).map_err(|error| (*shard, address, error))
    };
    shards.iter().map(bind_one).collect()
}

/// Opens a shard and starts it.
async fn open<N: Network>(core: &Rc<Core<N>>, identity: &Identity, shard: ShardId) -> Result<OpenReport, OpenError> {
    let settings = OpenSettings {
        blocks_in_flight: core.settings.blocks_in_flight,
        memory_bytes: core.settings.memory_bytes,
        key_cache_bytes: core.settings.key_cache_bytes,
        segment_unsynced_bytes: core.settings.segment_unsynced_bytes,
        clock_settle_ns: core.settings.clock_settle_ns,
    };
    let log_cuts = |cuts: &[CutUnit]| {
        for cut in cuts {
            tracing::warn!(%shard, ?cut, "the remains of a last write that nobody was told about are cut off");
        }
    };
    let opened = open_shard(&core.network, &core.settings.directory, identity, shard, settings, log_cuts).await;
    match opened {
        Ok(opened) => {
            let report = opened.report.clone();
            log_opening(&report);
            let batch_bytes_max = opened.shard.geometry().batch_bytes_max();
            core.shared.batch_bytes_max.store(batch_bytes_max, Ordering::Relaxed);
            let outlet = CoreOutlet::new(Rc::clone(core), shard);
            core.add_shard(shard, ShardDriver::start(core.network.clone(), opened, outlet));
            Ok(report)
        }
        Err(error) => {
            tracing::error!(%shard, %error, "the shard is not opened; nothing in its directory was changed");
            let shared = core.shared.shard(shard);
            shared.set_problem(error.to_string());
            shared.set_state(ShardState::NotOpen);
            Err(error)
        }
    }
}

fn log_opening(report: &OpenReport) {
    let OpenReport { shard, was_clean, epoch, last_sequence, block_count, .. } = report;
    tracing::info!(%shard, was_clean, %epoch, %last_sequence, block_count, "shard opened");
    for note in &report.notes {
        tracing::warn!(%shard, note, "something was wrong and was survived");
    }
}

/// Publishes often while shards start, so that nobody waits longer than they do.
async fn publish_until_serving<N: Network>(core: Rc<Core<N>>) {
    let is_starting =
        |core: &Core<N>| core.shard_ids().iter().any(|id| core.shared.shard(*id).state() == ShardState::Starting);
    while is_starting(&core) && !core.shared.is_stopping() {
        core.publish();
        core.network.sleep(START_LOOK_NS).await;
    }
}

/// Takes what other threads have for this executor.
async fn attend<N: Network>(core: Rc<Core<N>>) {
    let executor = core.mesh.executor();
    let mut told = false;
    loop {
        core.mesh.heard().await;
        if core.shared.is_stopping() && !told {
            told = true;
            core.stopping.notify();
        }
        while take_parcels(&core) | take_messages(&core) {
            take_turns().await;
        }
        let shared = &core.shared.executors[executor];
        if shared.take_wish() {
            shared.give(core.take_measured());
        }
    }
}

/// Takes requests and answers of other executors, as many as one turn has; whether there may be more.
fn take_parcels<N: Network>(core: &Rc<Core<N>>) -> bool {
    for _ in 0..PARCELS_PER_TURN {
        let Some((from, parcel)) = core.mesh.receive() else { return false };
        match parcel {
            Parcel::Forward { shard, id, request } => {
                core.ask(shard, request, Waiter::Remote { executor: from, id });
            }
            Parcel::Cancel { id } => core.cancel_remote(from, id),
            Parcel::Answer { id, reply } => core.answered(id, reply),
        }
    }
    true
}

/// The same of messages between shards.
fn take_messages<N: Network>(core: &Rc<Core<N>>) -> bool {
    for _ in 0..PARCELS_PER_TURN {
        let Some(message) = core.mesh.receive_message() else { return false };
        if let Some(driver) = core.driver(message.to) {
            driver.deliver(message.from, message.message);
        }
    }
    true
}

/// Closes the shards in order, sends the last answers, and goes when no executor needs this one any more.
async fn drain<N: Network>(core: &Rc<Core<N>>, opened_count: usize) {
    for shard in core.shard_ids() {
        if let Some(driver) = core.driver(shard) {
            driver.shutdown();
        }
    }
    while core.stopped_count.get() < opened_count {
        core.network.sleep(DRAIN_LOOK_NS).await;
    }
    core.shared.note_drained();
    while !core.shared.is_drained() {
        core.network.sleep(DRAIN_LOOK_NS).await;
    }
    let give_up_at = core.network.monotonic().plus_ns(LAST_ANSWERS_NS);
    while core.requests.used() > 0 && core.network.monotonic() < give_up_at {
        core.network.sleep(DRAIN_LOOK_NS).await;
    }
    for (_, connection) in core.connections.borrow().iter() {
        // Not closed at once: what a client still sends would throw its last answers away.
        connection.finish_sending();
    }
    let give_up_at = core.network.monotonic().plus_ns(LAST_ANSWERS_NS);
    while !core.connections.borrow().is_empty() && core.network.monotonic() < give_up_at {
        core.network.sleep(DRAIN_LOOK_NS).await;
    }
}
