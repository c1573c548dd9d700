//! The simulated process: every executor of the production server, on one simulated network and disk.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use florin_engine::format::identity::Identity;
use florin_engine::model::ShardId;
use florin_engine::shard::open::OpenError;
use florin_net::connection::Patience;
use florin_net::protocol::ShardState;
use florin_net::route::mesh;
use florin_net::server::core::Core;
use florin_net::server::executor::{Notice, run_executor};
use florin_net::server::shared::ServerShared;
use florin_net::server::{PORT_DEFAULT, ServerSettings};

use super::plan::Plan;
use crate::sim::{Process, SimDevice, SimExecutor, SimNetwork, SimRuntime, SimWire};

/// Where the simulated directory is.
pub(super) const DATA: &str = "/data";
/// How long connections may take, in virtual time.
pub(super) const PATIENCE: Patience =
    Patience { idle_ns: 8 * SECOND_NS, frame_ns: 2 * SECOND_NS, send_ns: 4 * SECOND_NS };
/// A second of virtual time.
pub(super) const SECOND_NS: u64 = 1_000_000_000;

/// A running process.
pub(super) struct Server {
    shared: Arc<ServerShared>,
    cores: Vec<Rc<Core<SimNetwork>>>,
    notices: Rc<RefCell<Vec<Notice>>>,
    process: Process,
}

impl Server {
    /// Starts a process on the device.
    pub(super) fn start(
        executor: &SimExecutor,
        device: &SimDevice,
        wire: &SimWire,
        identity: Identity,
        plan: &Plan,
    ) -> Self {
        let disk = device.mount();
        let process = disk.process();
        let ports = mesh(plan.executor_count);
        let doorbells = Arc::clone(ports[0].doorbells());
        let shared = Arc::new(ServerShared::new(identity.directory_id, String::new(), identity.shard_count, doorbells));
        let notices: Rc<RefCell<Vec<Notice>>> = Rc::default();
        let mut cores = Vec::new();
        for (number, port) in (0..).zip(ports) {
            let runtime = SimRuntime::new(executor.handle(), disk.clone(), number);
            let core = Rc::new(Core::new(wire.mount(runtime), settings(plan), Arc::clone(&shared), port));
            let notices = Rc::clone(&notices);
            let run = run_executor(Rc::clone(&core), identity, move |notice| notices.borrow_mut().push(notice));
            executor.spawn_in(process, run);
            cores.push(core);
        }
        Self { shared, cores, notices, process }
    }

    /// The process, to end it.
    pub(super) fn process(&self) -> Process {
        self.process
    }

    /// Its executors.
    pub(super) fn cores(&self) -> &[Rc<Core<SimNetwork>>] {
        &self.cores
    }

    /// What all executors share.
    pub(super) fn shared(&self) -> &ServerShared {
        &self.shared
    }

    /// Asks it to end in order.
    pub(super) fn stop(&self) {
        self.shared.stop();
    }

    /// Whether every executor has ended.
    pub(super) fn has_ended(&self) -> bool {
        let notices = self.notices.borrow();
        notices.iter().filter(|notice| matches!(notice, Notice::Ended)).count() == self.cores.len()
    }

    /// Why a shard was not opened, if one was not.
    pub(super) fn refusal(&self) -> Option<(ShardId, OpenError)> {
        self.notices.borrow().iter().find_map(|notice| match notice {
            Notice::Started(shards) => {
                shards.iter().find_map(|(shard, result)| Some((*shard, result.as_ref().err()?.clone())))
            }
            Notice::CannotListen { .. } | Notice::Ended => None,
        })
    }

    /// The port that could not be bound, if one could not.
    pub(super) fn cannot_listen(&self) -> Option<SocketAddr> {
        self.notices.borrow().iter().find_map(|notice| match notice {
            Notice::CannotListen { address, .. } => Some(*address),
            Notice::Started(_) | Notice::Ended => None,
        })
    }

    /// Whether every shard takes captures.
    pub(super) fn is_ready(&self) -> bool {
        self.shared.is_ready()
    }

    /// Shards that stopped after a failed write.
    pub(super) fn failed_count(&self) -> u64 {
        self.shared.shards.iter().filter(|shard| shard.state() == ShardState::Failed).count() as u64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.cores.iter().for_each(|core| core.let_go_of_shards());
    }
}

/// Where a shard listens.
pub(super) fn address_of(shard: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT_DEFAULT + shard)
}

fn settings(plan: &Plan) -> ServerSettings {
    ServerSettings {
        blocks_in_flight: plan.blocks_in_flight,
        memory_bytes: Some(plan.geometry.ring_bytes() + plan.cached_bytes),
        connection_bytes_max: plan.connection_bytes_max,
        executor_bytes_max: plan.executor_bytes_max,
        connection_count_max: plan.connection_count_max,
        patience: PATIENCE,
        ..ServerSettings::new(PathBuf::from(DATA))
    }
}
