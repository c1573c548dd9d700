//! Settings from a TOML file: one key each, at the top.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::error::SettingsError;
use super::table::{SETTINGS, Setting};
use super::{AllGiven, Given, Source, flags, on_one_line};

/// Bytes of a settings file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Characters of a wrong value that a message shows.
const SHOWN_COUNT_MAX: usize = 100;
/// How near a key must be, from 0 to 1, to be what was meant.
const NEAR: f64 = 0.85;

/// Reads a file that `named_by` names.
pub fn read(path: &Path, named_by: &'static str) -> Result<AllGiven, SettingsError> {
    let text = text_of(path).map_err(|error| SettingsError::File { path: path.to_owned(), named_by, error })?;
    parse(&text, path)
}

fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    OpenOptions::new().read(true).open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 1 MiB"));
    }
    Ok(text)
}

/// Reads the text of a file. What is wrong first is told first.
pub fn parse(text: &str, path: &Path) -> Result<AllGiven, SettingsError> {
    let table = DeTable::parse(text).map_err(|error| SettingsError::Syntax {
        path: path.to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        problem: error.message().replace('\n', ", "),
    })?;
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut all = AllGiven::new();
    for (key, value) in entries {
        let line = line_of(text, key.span().start);
        let key = key.get_ref();
        let place = || format!("{}, line {line}: {}", on_one_line(path), shown(key));
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == *key) else {
            return Err(SettingsError::Unknown {
                place: place(),
                advice: advice_about(key, value.get_ref().is_table()),
            });
        };
        let read = setting.kind.read_toml(value.get_ref());
        let value = read.map_err(|refusal| SettingsError::Value {
            place: place(),
            // The place of a table in a file is its header.
            given: if value.get_ref().is_table() { "{...}".to_owned() } else { shown(text_at(text, value.span())) },
            refusal,
        })?;
        all.insert(setting.key, Given { value, source: Source::File { path: path.to_owned(), line } });
    }
    Ok(all)
}

/// The setting that is meant by a key that is none.
pub fn nearest(key: &str) -> Option<&'static Setting> {
    let key = key.replace('-', "_").to_ascii_lowercase();
    let near = SETTINGS.iter().map(|setting| (strsim::jaro_winkler(setting.key, &key), *setting));
    near.filter(|(near, _)| *near >= NEAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, setting)| setting)
}

fn advice_about(key: &str, is_table: bool) -> String {
    match (flags::advice_about(key), nearest(key)) {
        (Some(advice), _) => advice,
        (None, None) if is_table => "settings stand in no table: remove its header".to_owned(),
        (None, Some(setting)) => format!("did you mean {}? Correct it, or remove the line", setting.key),
        (None, None) => "remove the line".to_owned(),
    }
}

fn line_of(text: &str, position: usize) -> usize {
    1 + text.bytes().take(position).filter(|byte| *byte == b'\n').count()
}

fn text_at(text: &str, span: Range<usize>) -> &str {
    text.get(span).unwrap_or_default()
}

/// The beginning of something, on one line.
pub fn shown(text: &str) -> String {
    let mut shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_COUNT_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
