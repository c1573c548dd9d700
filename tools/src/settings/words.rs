//! Settings that are words of a form: addresses, hosts, ids and what the log shows.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use florin_engine::model::Id128;
use florin_net::limits::ADVERTISE_BYTES_MAX;
use tracing_subscriber::EnvFilter;

/// An address and the port of shard 0.
#[derive(Clone, Copy, Debug)]
pub struct ListenAddress {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// Where to answer over HTTP, if anywhere.
#[derive(Clone, Copy, Debug)]
pub struct HttpAddress(pub Option<SocketAddr>);

/// The id that a directory must have, if any.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedId(pub Option<Id128>);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl FromStr for ListenAddress {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (address, port) = text.rsplit_once(':').context("write an address and a port, such as 127.0.0.1:7878")?;
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let address = address.parse().with_context(|| format!("{address:?} is no IP address"))?;
        let port = port.parse().with_context(|| format!("{port:?} is no port: write 0 to 65535"))?;
        Ok(Self { address, port })
    }
}

impl FromStr for HttpAddress {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "off" => Ok(Self(None)),
            _ => Ok(Self(Some(text.parse().context("write an address and a port, such as 127.0.0.1:7877, or off")?))),
        }
    }
}

impl FromStr for ExpectedId {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "any" => Ok(Self(None)),
            _ => Ok(Self(Some(directory_id(text)?))),
        }
    }
}

/// A directory's id as `inspect identity` and the server's first log line show it.
fn directory_id(text: &str) -> Result<Id128> {
    let mut bytes = [0; 16];
    if text.len() != 2 * bytes.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("a directory's id has 32 hexadecimal digits");
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits)?, 16)?;
    }
    Ok(Id128(bytes))
}

/// What the log shows.
///
/// # Errors
/// If it is no filter. A bare word must be a level: as the name of a part of the program it would hide all others.
pub fn log_filter(text: &str) -> Result<EnvFilter> {
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let named = |part: &str| part.contains(['=', '[']) || is_level(part);
    // Within brackets commas do not separate.
    if !text.contains('[') && !text.split(',').all(named) {
        bail!("{text:?} has a word that is no level");
    }
    EnvFilter::builder().parse(text).with_context(|| format!("{text:?} is no filter"))
}

pub fn is_listen(text: &str) -> bool {
    text.parse::<ListenAddress>().is_ok()
}

pub fn is_http(text: &str) -> bool {
    text.parse::<HttpAddress>().is_ok()
}

pub fn is_expected_id(text: &str) -> bool {
    text.parse::<ExpectedId>().is_ok()
}

pub fn is_log_filter(text: &str) -> bool {
    log_filter(text).is_ok()
}

pub fn is_host_or_nothing(text: &str) -> bool {
    let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    text.len() <= ADVERTISE_BYTES_MAX && (is_name(text) || text.parse::<Ipv6Addr>().is_ok())
}
