//! The settings in force as a file that can be used again.

use std::fmt::Write;

use super::error::SettingsError;
use super::table::{SETTINGS, Scope, Setting};
use super::{Given, Settings};

const HEAD: &str = "\
# The settings of `florin serve`. A flag counts before a variable of the environment (FLORIN_CONNECTION_BYTES), a variable
# before this file, this file before the default; a setting that is left out here has its default.
";

impl Settings {
    /// All settings as TOML, each with what it is, its unit and bounds, and where its value came from.
    ///
    /// # Errors
    /// If a path is no text.
    pub fn to_toml(&self) -> Result<String, SettingsError> {
        let mut text = HEAD.to_owned();
        for setting in SETTINGS {
            let Given { value, source } = self.given(setting);
            let Some(toml) = setting.kind.toml(value) else {
                return Err(SettingsError::NoText(self.show(setting)));
            };
            let default = setting.kind.show(&setting.kind.default());
            let (unit, bounds, source) = (setting.kind.unit(), setting.kind.bounds(), source.of(setting));
            let _ = writeln!(text, "\n# {}", meaning(setting));
            let _ = writeln!(text, "# Unit: {unit}; {bounds}; default {default}. This value: from {source}.");
            let _ = writeln!(text, "{} = {toml}", setting.key);
        }
        Ok(text)
    }
}

/// What a setting is, and when it counts.
pub fn meaning(setting: &Setting) -> String {
    match setting.scope {
        Scope::Server | Scope::Directory => setting.meaning.to_owned(),
        Scope::Format => format!("{} Counts only when a directory is formatted.", setting.meaning),
    }
}
