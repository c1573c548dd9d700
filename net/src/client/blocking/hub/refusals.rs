//! Which addresses refused the connection while none was ever made: when all have, nobody listens, and waiting for the
//! rest of the time helps nobody.

use std::collections::BTreeSet;
use std::net::SocketAddr;

/// The addresses of the servers that the caller named, and those that refused.
#[derive(Debug)]
pub(super) struct Refusals {
    /// Of each server; nothing until its name was looked up.
    addresses: Vec<Vec<SocketAddr>>,
    refused: BTreeSet<SocketAddr>,
}

impl Refusals {
    pub(super) fn new(server_count: usize) -> Self {
        Self { addresses: vec![Vec::new(); server_count], refused: BTreeSet::new() }
    }

    /// Notes what the name of a server stands for.
    pub(super) fn set_addresses(&mut self, server: usize, addresses: &[SocketAddr]) {
        if let Some(known) = self.addresses.get_mut(server) {
            *known = addresses.to_vec();
        }
    }

    /// Notes that an address refused; whether it is the first time.
    pub(super) fn refuse(&mut self, address: SocketAddr) -> bool {
        self.refused.insert(address)
    }

    /// If every address of every server has refused: all of them in words, and a new beginning.
    pub(super) fn take_if_all(&mut self) -> Option<String> {
        let has_refused = |of_one: &Vec<SocketAddr>| {
            !of_one.is_empty() && of_one.iter().all(|address| self.refused.contains(address))
        };
        if !self.addresses.iter().all(has_refused) {
            return None;
        }
        let refused: Vec<String> = std::mem::take(&mut self.refused).iter().map(ToString::to_string).collect();
        Some(format!("{} refused the connection", refused.join(", ")))
    }
}
