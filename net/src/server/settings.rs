//! What a server is started with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use florin_engine::io::fitness::DirectIo;
use florin_engine::limits::{BLOCKS_IN_FLIGHT_DEFAULT, BLOCKS_IN_FLIGHT_MAX};
use thiserror::Error;

use crate::connection::Patience;
use crate::limits::{
    CONNECTION_BYTES_DEFAULT, CONNECTION_BYTES_MIN, CONNECTION_COUNT_DEFAULT, DRAIN_NS_DEFAULT, EXECUTOR_BYTES_DEFAULT,
    EXECUTOR_BYTES_MIN, FRAME_NS_DEFAULT, IDLE_NS_DEFAULT, SEND_NS_DEFAULT,
};

/// The port of shard 0 when nothing else is asked for; shard n listens n ports above.
pub const PORT_DEFAULT: u16 = 7878;

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The data directory, which whoever starts the server has locked.
    pub directory: PathBuf,
    /// Where to listen for clients.
    pub listen: IpAddr,
    /// The port of shard 0; shard n listens n ports above. 0 takes any free port for each.
    pub port: u16,
    /// The host that clients are told to connect to; empty for the one that they know already.
    pub advertise: String,
    /// Where to answer for health and metrics, if anywhere.
    pub http: Option<SocketAddr>,
    /// Whether files bypass the page cache.
    pub direct_io: DirectIo,
    /// Executors at most, each on a core of its own; as many as there are shards and usable cores otherwise.
    pub executor_count_max: Option<usize>,
    /// Journal blocks of a shard being written at the same time.
    pub blocks_in_flight: usize,
    /// Connections of one port at the same time.
    pub connection_count_max: usize,
    /// Bytes of requests not answered and responses not sent, per connection.
    pub connection_bytes_max: usize,
    /// The same over all connections of an executor.
    pub executor_bytes_max: usize,
    /// How long a connection may take.
    pub patience: Patience,
    /// How long a drain may take, in nanoseconds.
    pub drain_ns: u64,
}

/// Settings that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// The ports of the shards end above the last one.
    #[error("shard {shard} would listen on port {port} + {shard}, and ports end at 65535: choose a lower port")]
    Port {
        /// The port of shard 0.
        port: u16,
        /// The last shard.
        shard: u16,
    },
    /// A connection could not have a whole request under way.
    #[error("{bytes} bytes per connection are less than {CONNECTION_BYTES_MIN}, which a request and an answer need")]
    ConnectionBytes {
        /// What was asked for.
        bytes: usize,
    },
    /// An executor could not let a connection have what one needs.
    #[error("{bytes} bytes per executor are less than {EXECUTOR_BYTES_MIN}, half of which one connection needs")]
    ExecutorBytes {
        /// What was asked for.
        bytes: usize,
    },
    /// More blocks in flight than a journal has room for.
    #[error("{count} blocks in flight are more than {BLOCKS_IN_FLIGHT_MAX}")]
    BlocksInFlight {
        /// What was asked for.
        count: usize,
    },
    /// Something that must be there at least once.
    #[error("{name} is 0: choose at least 1")]
    Zero {
        /// The setting.
        name: &'static str,
    },
}

impl ServerSettings {
    /// The defaults, for a directory that is locked and formatted.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: PORT_DEFAULT,
            advertise: String::new(),
            http: None,
            direct_io: DirectIo::Required,
            executor_count_max: None,
            blocks_in_flight: BLOCKS_IN_FLIGHT_DEFAULT,
            connection_count_max: CONNECTION_COUNT_DEFAULT,
            connection_bytes_max: CONNECTION_BYTES_DEFAULT,
            executor_bytes_max: EXECUTOR_BYTES_DEFAULT,
            patience: Patience { idle_ns: IDLE_NS_DEFAULT, frame_ns: FRAME_NS_DEFAULT, send_ns: SEND_NS_DEFAULT },
            drain_ns: DRAIN_NS_DEFAULT,
        }
    }

    /// Where a shard listens.
    pub fn address_of(&self, shard: u16) -> SocketAddr {
        let port = if self.port == 0 { 0 } else { self.port.saturating_add(shard) };
        SocketAddr::new(self.listen, port)
    }

    /// Whether a directory of `shard_count` shards can be served like this.
    pub fn check(&self, shard_count: u16) -> Result<(), SettingsError> {
        let last = shard_count.saturating_sub(1);
        if self.port.checked_add(last).is_none() {
            return Err(SettingsError::Port { port: self.port, shard: last });
        }
        if self.connection_bytes_max < CONNECTION_BYTES_MIN {
            return Err(SettingsError::ConnectionBytes { bytes: self.connection_bytes_max });
        }
        if self.executor_bytes_max < EXECUTOR_BYTES_MIN {
            return Err(SettingsError::ExecutorBytes { bytes: self.executor_bytes_max });
        }
        if self.blocks_in_flight > BLOCKS_IN_FLIGHT_MAX {
            return Err(SettingsError::BlocksInFlight { count: self.blocks_in_flight });
        }
        for (name, value) in [
            ("the number of connections", self.connection_count_max),
            ("the number of executors", self.executor_count_max.unwrap_or(1)),
            ("the number of blocks in flight", self.blocks_in_flight),
        ] {
            if value == 0 {
                return Err(SettingsError::Zero { name });
            }
        }
        Ok(())
    }
}
