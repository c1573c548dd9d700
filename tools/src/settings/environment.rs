//! Settings from the environment: `FLORIN_` and the key in capitals.

use std::ffi::OsString;
use std::path::PathBuf;

use super::error::SettingsError;
use super::file::{nearest, shown};
use super::table::SETTINGS;
use super::{AllGiven, Given, Source, flags};

/// What all variables begin with.
pub const PREFIX: &str = "FLORIN_";
/// Names the settings file.
pub const CONFIG: &str = "FLORIN_CONFIG";
/// Variables of other commands.
const OF_OTHERS: [&str; 1] = ["FLORIN_SERVER"];

/// The variables of a process that begin with [`PREFIX`].
#[derive(Clone, Debug, Default)]
pub struct Environment(Vec<(String, OsString)>);

impl Environment {
    /// That of this process.
    pub fn of_this_process() -> Self {
        Self::of(std::env::vars_os())
    }

    /// That of these variables.
    pub fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = variables.into_iter().filter_map(|(name, value)| {
            // A name that is no text is nobody's.
            let name = name.into_string().ok()?;
            is_ours(&name).then_some((name, value))
        });
        let mut ours: Vec<_> = ours.collect();
        ours.sort();
        Self(ours)
    }

    /// The settings file that is named.
    pub(super) fn config(&self) -> Result<Option<PathBuf>, SettingsError> {
        let Some((_, path)) = self.0.iter().find(|(name, _)| name == CONFIG) else { return Ok(None) };
        if path.is_empty() {
            let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the name is empty");
            return Err(SettingsError::File { path: PathBuf::new(), named_by: CONFIG, error });
        }
        Ok(Some(PathBuf::from(path)))
    }

    /// All settings that are given.
    pub(super) fn given(&self) -> Result<AllGiven, SettingsError> {
        let mut given = AllGiven::new();
        let is_of_others = |name: &str| name == CONFIG || OF_OTHERS.contains(&name) || is_of_an_orchestrator(name);
        for (name, text) in self.0.iter().filter(|(name, _)| !is_of_others(name)) {
            let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == *name) else {
                return Err(unknown(name));
            };
            let value = setting.kind.read(text).map_err(|refusal| {
                let given = format!("\"{}\"", shown(&text.to_string_lossy()));
                SettingsError::Value { place: name.clone(), given, refusal }
            })?;
            given.insert(setting.key, Given { value, source: Source::Environment });
        }
        Ok(given)
    }
}

/// Whether a variable is one of ours, or would be if it existed.
pub fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Kubernetes and Docker tell each process about a service named florin in such variables, which nobody chose:
/// `FLORIN_SERVICE_HOST`, `FLORIN_PORT`, `FLORIN_HTTP_PORT_7879_TCP_ADDR`.
fn is_of_an_orchestrator(name: &str) -> bool {
    let has_number = name.split("_PORT_").skip(1).any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.ends_with("_PORT") || has_number
}

fn unknown(name: &str) -> SettingsError {
    let key = name.trim_start_matches(PREFIX).to_ascii_lowercase();
    let advice = match flags::advice_about(&key) {
        Some(advice) => advice,
        None => match nearest(&key) {
            Some(setting) => format!("did you mean {}? Correct it, or unset it", setting.variable()),
            None => "unset it".to_owned(),
        },
    };
    SettingsError::Unknown { place: name.to_owned(), advice }
}
