//! What was found to be wrong, and what that means for the whole.

use florin_engine::format::stored::Stored;
use florin_engine::io::{DiskError, DiskErrorKind};
use serde::Serialize;

#[cfg(test)]
mod tests;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is wrong, but an operator may want to know.
    Note,
    /// Whether something is wrong could not be found out.
    CannotTell,
    /// Something is not what was written.
    Damage,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file, relative to the data directory, if it is about one.
    pub file: Option<String>,
    /// The first byte concerned.
    pub position: Option<u64>,
    /// How many bytes from there on, where that is known.
    pub finding_bytes: Option<u64>,
    /// What was found.
    pub what: String,
    /// What to do about it, where that is not the same for all of its severity.
    #[serde(skip)]
    pub advice: Option<String>,
}

/// What a verification comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was looked at is as it was written.
    Clean,
    /// Something could not be found out, and nothing was found damaged.
    CannotTell,
    /// Something is damaged.
    Damage,
}

impl Finding {
    /// What is wrong with a copy that must be there; `None` if it is there.
    pub fn of_copy<T>(copy: &str, stored: &Stored<T>) -> Option<Self> {
        let severity = severity_of_copy(stored)?;
        let finding = Self::new(severity, format!("{copy} is {}", stored.problem().unwrap_or_default()));
        Some(match stored {
            Stored::OtherVersion(_) => finding.advised("verify it with the florin of the version that wrote it"),
            Stored::Present(_) | Stored::Absent | Stored::Damaged(_) | Stored::Unreadable(_) => finding,
        })
    }

    /// A finding without a place.
    pub fn new(severity: Severity, what: impl Into<String>) -> Self {
        Self { severity, file: None, position: None, finding_bytes: None, what: what.into(), advice: None }
    }

    /// The same, in a file.
    pub fn in_file(self, file: &str) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }

    /// The same, at bytes of its file.
    pub fn at(self, position: u64, finding_bytes: u64) -> Self {
        Self { position: Some(position), finding_bytes: Some(finding_bytes), ..self }
    }

    /// The same, with what to do about it.
    pub fn advised(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// The finding as one line.
    pub fn line(&self) -> String {
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::CannotTell => "cannot tell",
            Severity::Damage => "damage",
        };
        let place = match (&self.file, self.position, self.finding_bytes) {
            (Some(file), Some(position), Some(bytes)) => format!(" in {file} at byte {position} ({bytes} bytes)"),
            (Some(file), Some(position), None) => format!(" in {file} at byte {position}"),
            (Some(file), None, _) => format!(" in {file}"),
            (None, _, _) => String::new(),
        };
        format!("{severity}{place}: {}", self.what)
    }

    fn continues(&self, before: &Self) -> bool {
        let end = before.position.zip(before.finding_bytes).map(|(position, bytes)| position + bytes);
        (self.severity, &self.file, &self.what) == (before.severity, &before.file, &before.what)
            && end.is_some()
            && end == self.position
    }
}

/// Findings of the same kind that stand one behind the other become one.
pub fn coalesce(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        match merged.last_mut() {
            Some(last) if finding.continues(last) => {
                let more_bytes = finding.finding_bytes.unwrap_or(0);
                last.finding_bytes = last.finding_bytes.map(|bytes| bytes + more_bytes);
            }
            _ => merged.push(finding),
        }
    }
    merged
}

/// What the findings come to: damage outweighs not knowing, because it is certain.
pub fn verdict<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Verdict {
    match findings.into_iter().map(|finding| finding.severity).max() {
        None | Some(Severity::Note) => Verdict::Clean,
        Some(Severity::CannotTell) => Verdict::CannotTell,
        Some(Severity::Damage) => Verdict::Damage,
    }
}

/// How bad a failed disk operation is: a file that is gone or too short is damage; one that may not or cannot be
/// read says nothing about its bytes.
pub fn severity_of(error: &DiskError) -> Severity {
    match error.kind {
        DiskErrorKind::NotFound | DiskErrorKind::Short { .. } => Severity::Damage,
        DiskErrorKind::AlreadyExists | DiskErrorKind::NoSpace | DiskErrorKind::Failed | DiskErrorKind::Refused => {
            Severity::CannotTell
        }
    }
}

/// How bad the state of a copy is that must be there; `None` if it is there.
pub fn severity_of_copy<T>(stored: &Stored<T>) -> Option<Severity> {
    match stored {
        Stored::Present(_) => None,
        Stored::Absent | Stored::Damaged(_) => Some(Severity::Damage),
        Stored::OtherVersion(_) => Some(Severity::CannotTell),
        Stored::Unreadable(error) => Some(severity_of(error)),
    }
}
