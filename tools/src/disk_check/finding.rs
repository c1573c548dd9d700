//! What was checked, what came of it, and how that is shown.

use std::fmt::Write;
use std::path::Path;

use florin_engine::io::fitness::{BlockDevice, WriteCache};
use serde::Serialize;

use super::measure::Measured;
use crate::table::{Align, Table};

/// What a check comes to, in rising order of weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// As it should be.
    Fit,
    /// It will do, but an operator should know.
    Warning,
    /// It could not be found out.
    CannotTell,
    /// It will not do.
    Unfit,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// What was checked.
    pub(super) check: &'static str,
    /// What it comes to.
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) value: String,
    /// What to do, or what to know.
    pub(super) advice: Option<String>,
}

/// What a block device says of itself.
#[derive(Debug, Serialize)]
pub(super) struct DeviceView {
    name: String,
    write_cache: Option<&'static str>,
    has_fua: Option<bool>,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    directory: &'a Path,
    pub(super) verdict: Verdict,
    device: Option<DeviceView>,
    checks: Vec<Check>,
    measurements: Vec<Measured>,
}

impl DeviceView {
    pub(super) fn of(device: &BlockDevice) -> Self {
        let write_cache = device.write_cache().map(|cache| match cache {
            WriteCache::Volatile => "write_back",
            WriteCache::None => "write_through",
        });
        Self { name: device.name().to_owned(), write_cache, has_fua: device.has_fua() }
    }
}

impl<'a> Report<'a> {
    pub(super) fn new(
        directory: &'a Path,
        device: Option<DeviceView>,
        checks: Vec<Check>,
        measurements: Vec<Measured>,
    ) -> Self {
        let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::CannotTell);
        Self { directory, verdict, device, checks, measurements }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}: {}", self.directory.display(), self.verdict.sentence());
        let mut table = Table::new(&[("CHECK", Align::Left), ("VERDICT", Align::Left), ("FOUND", Align::Left)]);
        for check in &self.checks {
            let name = check.check.replace('_', " ");
            table.row(vec![name, check.verdict.word().to_owned(), check.value.clone()]);
            if let Some(advice) = &check.advice {
                table.line(format!("  {advice}"));
            }
        }
        table.render(&mut text, 2);
        text
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::Warning => "warning",
            Self::CannotTell => "cannot tell",
            Self::Unfit => "UNFIT",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Fit => "fit for a data directory",
            Self::Warning => "fit for a data directory, with warnings",
            Self::CannotTell => "whether it is fit for a data directory cannot be told",
            Self::Unfit => "UNFIT for a data directory",
        }
    }
}
