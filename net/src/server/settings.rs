//! What a server is started with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use florin_engine::io::fitness::DirectIo;
use florin_engine::limits::{
    BLOCKS_IN_FLIGHT_DEFAULT, BLOCKS_IN_FLIGHT_MAX, CLOCK_SETTLE_NS_DEFAULT, KEY_CACHE_BYTES_DEFAULT,
    SEGMENT_UNSYNCED_BYTES_DEFAULT,
};
use thiserror::Error;

use crate::connection::Patience;
use crate::limits::{
    CONNECTION_BYTES_DEFAULT, CONNECTION_BYTES_MIN, CONNECTION_COUNT_DEFAULT, DRAIN_NS_DEFAULT, EXECUTOR_BYTES_DEFAULT,
    EXECUTOR_BYTES_MIN, FRAME_NS_DEFAULT, IDLE_NS_DEFAULT, SEND_NS_DEFAULT,
};

/// The port of shard 0 when nothing else is asked for; shard n listens n ports above.
pub const PORT_DEFAULT: u16 = 7878;
/// The port of health and metrics when nothing else is asked for: below those of the shards, however many there are.
pub const HTTP_PORT_DEFAULT: u16 = 7877;
const _: () = assert!(HTTP_PORT_DEFAULT < PORT_DEFAULT);

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
    /// Memory of each shard for batches, at least what its journal has; none: somewhat more than that.
    pub memory_bytes: Option<u64>,
    /// Memory of each shard for parts of key runs that were read.
    pub key_cache_bytes: u64,
    /// A segment file is synced whenever so many bytes of it are not.
    pub segment_unsynced_bytes: usize,
    /// So long after a start nothing expires by the wall clock, in nanoseconds.
    pub clock_settle_ns: u64,
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
    /// Health and metrics would listen where a shard does.
    #[error("HTTP would listen on {http}, which is the port of shard {shard}: choose another port for it, or off")]
    HttpPort {
        /// Where HTTP would listen.
        http: SocketAddr,
        /// The shard with this port.
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
            memory_bytes: None,
            key_cache_bytes: KEY_CACHE_BYTES_DEFAULT,
            segment_unsynced_bytes: SEGMENT_UNSYNCED_BYTES_DEFAULT,
            clock_settle_ns: CLOCK_SETTLE_NS_DEFAULT,
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
        self.check_http(shard_count)?;
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

    /// Ports that the kernel chooses never meet.
    fn check_http(&self, shard_count: u16) -> Result<(), SettingsError> {
        let Some(http) = self.http.filter(|http| http.port() != 0 && self.port != 0) else { return Ok(()) };
        let meet = http.ip() == self.listen || http.ip().is_unspecified() || self.listen.is_unspecified();
        match http.port().checked_sub(self.port) {
            Some(shard) if meet && shard < shard_count => Err(SettingsError::HttpPort { http, shard }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use florin_engine::limits::SHARD_COUNT_MAX;

    fn with_http(listen: &str, http: &str) -> ServerSettings {
        let listen: SocketAddr = listen.parse().expect("an address");
        let http = Some(http.parse().expect("an address"));
        ServerSettings { listen: listen.ip(), port: listen.port(), http, ..ServerSettings::new(PathBuf::new()) }
    }

    #[test]
    fn the_default_port_of_http_is_no_shards_port() {
        let http = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), HTTP_PORT_DEFAULT);
        let settings = ServerSettings { http: Some(http), ..ServerSettings::new(PathBuf::new()) };
        assert_eq!(settings.check(SHARD_COUNT_MAX), Ok(()));
    }

    #[test]
    fn http_on_the_port_of_a_shard_is_refused_and_the_shard_named() {
        for (listen, http, shard_count, meets) in [
            ("127.0.0.1:7878", "127.0.0.1:7879", 1, None),
            ("127.0.0.1:7878", "127.0.0.1:7879", 2, Some(1)),
            ("127.0.0.1:7878", "127.0.0.1:7878", 1, Some(0)),
            ("127.0.0.1:7878", "127.0.0.1:7877", 200, None),
            ("127.0.0.1:7878", "127.0.0.2:7879", 2, None),
            ("0.0.0.0:7878", "127.0.0.1:7879", 2, Some(1)),
            ("127.0.0.1:7878", "[::]:7879", 2, Some(1)),
            ("127.0.0.1:0", "127.0.0.1:7879", 2, None),
            ("127.0.0.1:7878", "127.0.0.1:0", 2, None),
        ] {
            let settings = with_http(listen, http);
            let expected = match (meets, settings.http) {
                (Some(shard), Some(http)) => Err(SettingsError::HttpPort { http, shard }),
                _ => Ok(()),
            };
            assert_eq!(settings.check(shard_count), expected, "{listen} and {http}");
        }
    }
}
