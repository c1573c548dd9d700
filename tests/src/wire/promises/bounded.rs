//! Nothing is unbounded: what the server holds for a connection and for all of them, and nothing once they are gone.

use std::rc::Rc;

use florin_engine::model::ShardId;
use florin_net::metrics::counted;
use florin_net::server::core::Core;

use crate::sim::SimNetwork;
use crate::wire::clients::ANSWERS_BYTES_MAX;
use crate::wire::ground::Ground;
use crate::wire::server::Server;
use crate::world::checkers::{Checked, violation};

const BOUNDED: &str = "nothing is unbounded";

impl Ground {
    /// What every executor holds now.
    pub(in crate::wire) fn is_bounded(&self, server: &Server) -> Checked {
        let limit = self.plan.connection_bytes_max + ANSWERS_BYTES_MAX;
        for core in server.cores() {
            let mut all_bytes = 0;
            for (_, connection) in core.connections.borrow().iter() {
                let bytes = connection.held_bytes();
                all_bytes += bytes;
                if bytes > limit {
                    let what = format!("{bytes} bytes are held for {}, {limit} may be", connection.peer);
                    return violation(BOUNDED, what);
                }
            }
            if all_bytes > core.bytes.used() {
                let what = format!("{all_bytes} bytes are held, and {} counted", core.bytes.used());
                return violation(BOUNDED, what);
            }
        }
        let most = counted(self.plan.connection_count_max);
        let open = server.shared().shards.iter().map(|shard| shard.counters.connections.get()).max();
        match open {
            Some(open) if open > most => violation(BOUNDED, format!("a port has {open} connections of {most}")),
            _ => Ok(()),
        }
    }

    /// All clients have gone, and the server may not have noticed of each: whatever waits does so for a connection that
    /// is there.
    pub(in crate::wire) fn waits_for_somebody(&self, server: &Server) -> Checked {
        for core in server.cores() {
            let connections = core.connections.borrow();
            let polls: usize = connections.iter().map(|(_, open)| open.polls().borrow().len()).sum();
            let requests: usize = connections.iter().map(|(_, open)| open.request_count()).sum();
            if (polls, requests) != (core.polls.used(), core.requests.used()) {
                let counted = (core.polls.used(), core.requests.used());
                let what =
                    format!("fetches and requests under way are {counted:?}, of connections {polls}, {requests}");
                return violation(BOUNDED, what);
            }
        }
        Ok(())
    }

    /// All clients are gone: nothing is held for anybody.
    pub(in crate::wire) fn is_at_rest(&self, server: &Server) -> Checked {
        server.cores().iter().try_for_each(holds_nothing)?;
        let shards = (0..).zip(&server.shared().shards);
        for (shard, state) in shards {
            let open = state.counters.connections.get();
            if open > 0 {
                return violation(BOUNDED, format!("{open} connections of shard {} are counted", ShardId(shard)));
            }
        }
        Ok(())
    }
}

fn holds_nothing(core: &Rc<Core<SimNetwork>>) -> Checked {
    let forwards: usize = core.forwards.iter().map(florin_net::backpressure::Shared::used).sum();
    let held = [
        ("connections", core.connections.borrow().len()),
        ("bytes", core.bytes.used()),
        ("requests", core.requests.used()),
        ("waiting fetches", core.polls.used()),
        ("forwarded requests", forwards),
        ("connections that are turned away", core.turning_away_count.get()),
    ];
    match held.into_iter().find(|(_, count)| *count > 0) {
        Some((what, count)) => {
            violation(BOUNDED, format!("executor {} holds {count} {what} for nobody", core.mesh.executor()))
        }
        None => Ok(()),
    }
}
