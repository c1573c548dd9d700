//! What the server is told, and from where: a table of settings, and three sources that override its defaults.
//!
//! [`table`] has the settings, [`kind`] their units, bounds and values, [`words`] those that are no numbers. [`flags`],
//! [`environment`] and [`mod@file`] read what is given; a flag counts before a variable, a variable before the file, the file
//! before the default, and all of them are checked whether they count or not. [`relations`] are the rules between
//! settings. [`mod@print`] shows what is in force, as a file that can be used again.

mod environment;
mod error;
mod file;
pub mod flags;
mod kind;
mod print;
mod relations;
pub mod table;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Result;
use florin_engine::format::layout::Geometry;
use florin_engine::io::fitness::DirectIo;
use florin_engine::shard::directory::Settings as DirectorySettings;
use florin_net::server::ServerSettings;
use tracing_subscriber::EnvFilter;

use crate::host;
pub use environment::{Environment, is_ours as is_variable_of_ours};
pub use error::SettingsError;
use kind::Value;
use table::{NANOSECONDS_PER_SECOND, SETTINGS, Setting};
use words::{ExpectedId, HttpAddress, ListenAddress};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody chose it.
    Default,
    /// The settings file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment,
    /// The command line.
    Flag,
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    value: Value,
    source: Source,
}

/// What one source gives, by key.
pub type AllGiven = BTreeMap<&'static str, Given>;

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Settings {
    in_force: AllGiven,
}

impl Settings {
    /// Puts the sources together. `config` is what a flag says about the settings file.
    ///
    /// # Errors
    /// If a file cannot be read, or any source has a setting that does not exist or a value that cannot be.
    pub fn gather(flags: &AllGiven, config: Option<&Path>, environment: &Environment) -> Result<Self, SettingsError> {
        let variables = environment.given()?;
        let file = match (config, environment.config()?) {
            (Some(path), _) => file::read(path, "--config")?,
            (None, Some(path)) => file::read(&path, environment::CONFIG)?,
            (None, None) => AllGiven::new(),
        };
        let settings = Self::with([file, variables, flags.clone()]);
        relations::check(&settings)?;
        Ok(settings)
    }

    /// The defaults, with what is given instead; what comes later counts.
    fn with(given: impl IntoIterator<Item = AllGiven>) -> Self {
        let default =
            |setting: &&Setting| (setting.key, Given { value: setting.kind.default(), source: Source::Default });
        let mut in_force: AllGiven = SETTINGS.iter().map(default).collect();
        given.into_iter().for_each(|given| in_force.extend(given));
        Self { in_force }
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        self.path(&table::DIRECTORY)
    }

    /// How a directory is taken or made.
    ///
    /// # Errors
    /// If the number of usable cores is asked for and not known.
    pub fn for_directory(&self) -> Result<DirectorySettings> {
        let shards = self.number_or_auto(&table::SHARDS);
        Ok(DirectorySettings {
            shard_count: shards.map_or_else(host::usable_core_count, |count| Ok(u16::try_from(count)?))?,
            geometry: Geometry {
                file_count: u16::try_from(self.number(&table::JOURNAL_FILES))?,
                file_bytes: self.number(&table::JOURNAL_FILE_BYTES),
                manifest_bytes: self.number(&table::MANIFEST_BYTES),
            },
            allow_cow: self.switch(&table::ALLOW_COW),
            direct_io: if self.switch(&table::NO_DIRECT) { DirectIo::Off } else { DirectIo::Required },
            expect_id: self.word::<ExpectedId>(&table::EXPECT_ID)?.0,
        })
    }

    /// What the server is started with.
    ///
    /// # Errors
    /// None that the sources have not had already.
    pub fn for_server(&self) -> Result<ServerSettings> {
        let mut server = ServerSettings::new(self.directory().to_owned());
        let listen: ListenAddress = self.word(&table::LISTEN)?;
        server.listen = listen.address;
        server.port = listen.port;
        server.advertise = self.word(&table::ADVERTISE)?;
        server.http = self.word::<HttpAddress>(&table::HTTP)?.0;
        server.direct_io = if self.switch(&table::NO_DIRECT) { DirectIo::Off } else { DirectIo::Required };
        server.executor_count_max = self.number_or_auto(&table::CORES).map(usize::try_from).transpose()?;
        server.blocks_in_flight = usize::try_from(self.number(&table::BLOCKS_IN_FLIGHT))?;
        server.memory_bytes = Some(self.number(&table::MEMORY_BYTES));
        server.key_cache_bytes = self.number(&table::KEY_CACHE_BYTES);
        server.segment_unsynced_bytes = usize::try_from(self.number(&table::SEGMENT_UNSYNCED_BYTES))?;
        server.clock_settle_ns = self.nanoseconds(&table::CLOCK_SETTLE_SECONDS);
        server.connection_count_max = usize::try_from(self.number(&table::CONNECTIONS))?;
        server.connection_bytes_max = usize::try_from(self.number(&table::CONNECTION_BYTES))?;
        server.executor_bytes_max = usize::try_from(self.number(&table::EXECUTOR_BYTES))?;
        server.patience.idle_ns = self.nanoseconds(&table::IDLE_SECONDS);
        server.patience.frame_ns = self.nanoseconds(&table::FRAME_SECONDS);
        server.patience.send_ns = self.nanoseconds(&table::SEND_SECONDS);
        server.drain_ns = self.nanoseconds(&table::DRAIN_SECONDS);
        Ok(server)
    }

    /// What the log shows.
    ///
    /// # Errors
    /// None that the sources have not had already.
    pub fn log_filter(&self) -> Result<EnvFilter> {
        words::log_filter(&self.word::<String>(&table::LOG)?)
    }

    /// A setting with its value and where that came from, for messages.
    fn show(&self, setting: &Setting) -> String {
        let Given { value, source } = self.given(setting);
        format!("{} = {} ({})", setting.key, setting.kind.show(value), source.of(setting))
    }

    fn given(&self, setting: &Setting) -> &Given {
        self.in_force.get(setting.key).expect("every setting of the table has a value")
    }

    fn number(&self, setting: &Setting) -> u64 {
        self.number_or_auto(setting).unwrap_or_else(|| unreachable!("{} is always a number", setting.key))
    }

    fn number_or_auto(&self, setting: &Setting) -> Option<u64> {
        match &self.given(setting).value {
            Value::Number(number) => Some(*number),
            Value::Auto => None,
            other => unreachable!("{} is a number, not {other:?}", setting.key),
        }
    }

    fn nanoseconds(&self, setting: &Setting) -> u64 {
        self.number(setting).checked_mul(NANOSECONDS_PER_SECOND).expect("its most is far below 64 bits")
    }

    fn switch(&self, setting: &Setting) -> bool {
        let Value::Switch(is_on) = self.given(setting).value else { unreachable!("{} is a switch", setting.key) };
        is_on
    }

    fn path(&self, setting: &Setting) -> &Path {
        let Value::Path(path) = &self.given(setting).value else { unreachable!("{} is a path", setting.key) };
        path
    }

    fn word<T: FromStr>(&self, setting: &Setting) -> Result<T, T::Err> {
        let Value::Word(word) = &self.given(setting).value else { unreachable!("{} is a word", setting.key) };
        word.parse()
    }
}

impl Source {
    /// The source of this setting, in words.
    fn of(&self, setting: &Setting) -> String {
        match self {
            Self::Default => "the default".to_owned(),
            Self::File { path, line } => format!("{}, line {line}", on_one_line(path)),
            Self::Environment => setting.variable(),
            Self::Flag => setting.flag(),
        }
    }
}

/// A path as it can stand in a message and in a comment.
fn on_one_line(path: &Path) -> impl fmt::Display {
    path.to_string_lossy().replace(char::is_control, "?")
}
