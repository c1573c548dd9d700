//! Rules between settings: each may be within its bounds, and two of them not go together.

use super::Settings;
use super::error::SettingsError;
use super::table::{CONNECTION_BYTES, EXECUTOR_BYTES, JOURNAL_FILE_BYTES, JOURNAL_FILES, MEMORY_BYTES};

/// A rule: what is wrong, with the values of all settings that it is about, and what to do.
type Rule = fn(&Settings) -> Option<String>;

const RULES: [Rule; 2] = [an_executor_has_room_for_a_connection, memory_holds_what_a_journal_holds];

/// Holds settings against every rule.
pub fn check(settings: &Settings) -> Result<(), SettingsError> {
    match RULES.iter().find_map(|rule| rule(settings)) {
        Some(broken) => Err(SettingsError::Relation(broken)),
        None => Ok(()),
    }
}

fn an_executor_has_room_for_a_connection(settings: &Settings) -> Option<String> {
    let [of_executor, of_connection] = [&EXECUTOR_BYTES, &CONNECTION_BYTES];
    let is_broken = settings.number(of_executor) < settings.number(of_connection);
    is_broken.then(|| {
        let (executor, connection) = (settings.show(of_executor), settings.show(of_connection));
        format!("{executor} is less than {connection}: raise the first, or lower the second")
    })
}

/// A directory that exists may have another journal: its own is held against the memory when it is opened.
fn memory_holds_what_a_journal_holds(settings: &Settings) -> Option<String> {
    let [files, file_bytes] = [&JOURNAL_FILES, &JOURNAL_FILE_BYTES].map(|setting| settings.number(setting));
    let journal_bytes = files.saturating_mul(file_bytes);
    (settings.number(&MEMORY_BYTES) < journal_bytes).then(|| {
        let [memory, files, file] = [&MEMORY_BYTES, &JOURNAL_FILES, &JOURNAL_FILE_BYTES].map(|one| settings.show(one));
        format!("{memory} is less than a journal of {journal_bytes} bytes ({files}, {file}): raise the first, or lower the others")
    })
}
