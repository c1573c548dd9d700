//! What a run found.

use std::collections::BTreeMap;
use std::path::Path;

use florin_harness::served::damage::campaign::{self, Played, Tally};
use florin_harness::served::damage::judge::Found;
use florin_harness::served::damage::sound::EndedBy;
use florin_harness::served::ledger::{Promise, Totals, Violation};

/// Everything that a run found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Rounds by how they ended.
    pub endings: BTreeMap<&'static str, u32>,
    /// What clients did and were told in them.
    pub totals: Totals,
    /// Batches in the directories whose files were damaged.
    pub stored_batches: u64,
    /// Cases by what was damaged and what was found.
    pub cases: Tally,
    /// Cases by how the server had ended.
    pub ended: BTreeMap<EndedBy, u32>,
    /// Whether time was up before all was done.
    pub is_cut_short: bool,
    /// How long it took.
    pub seconds: f64,
    /// What was broken.
    pub broken: Option<Broken>,
}

/// A broken promise, or something that kept the run from going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What happened, and where.
    pub what: String,
    /// The promise, if it is one that has a name.
    pub promise: Option<Promise>,
    options: String,
    case: Option<(u32, u64)>,
}

impl Outcome {
    /// Takes a case that went well.
    pub fn count(&mut self, played: &Played) {
        let kinds = self.cases.entry((played.case.file, played.case.kind)).or_default();
        *kinds.entry(played.found).or_default() += 1;
        *self.ended.entry(played.ended).or_default() += 1;
    }

    /// Rounds in all.
    pub fn round_count(&self) -> u32 {
        self.endings.values().sum()
    }

    /// Cases in all.
    pub fn case_count(&self) -> u32 {
        self.ended.values().sum()
    }

    /// Cases in which this was found.
    pub fn found_count(&self, found: Found) -> u32 {
        self.cases.values().filter_map(|kinds| kinds.get(&found)).sum()
    }

    /// How often a promise was broken: the first time ends a run.
    pub fn broken_count(&self, promise: Promise) -> u32 {
        u32::from(self.broken.as_ref().is_some_and(|broken| broken.promise == Some(promise)))
    }

    /// The last word.
    pub fn verdict(&self) -> &'static str {
        match (&self.broken, self.is_cut_short) {
            (Some(_), _) => "broken",
            (None, true) => "nothing is broken in what there was time for",
            (None, false) => "nothing is broken",
        }
    }
}

impl Broken {
    /// In a round of kills.
    pub fn in_rounds(what: String, violation: Option<Violation>, seed: u64, rounds: u32) -> Self {
        let promise = violation.map(|violation| violation.promise());
        Self { what, promise, options: format!("--rounds {rounds} --cases 0 --seed {seed}"), case: None }
    }

    /// While the directories were made that are damaged later.
    pub fn in_making(what: String, seed: u64, cases: u32) -> Self {
        Self { what, promise: None, options: format!("--rounds 0 --cases {cases} --seed {seed}"), case: None }
    }

    /// In a case of damage.
    pub fn in_case(broken: &campaign::Broken, seed: u64, cases: u32) -> Self {
        let case = broken.case.as_ref().map(|case| (case.number, seed));
        let promise = Some(broken.violation.promise());
        Self { promise, case, ..Self::in_making(broken.to_string(), seed, cases) }
    }

    /// The command that plays it again.
    pub fn again(&self, kept: &Path) -> String {
        match self.case {
            Some((case, seed)) => {
                format!("florin-bench crash-verify --seed {seed} --case {case} --replay {}", kept.display())
            }
            None => {
                let parent = kept.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
                format!("florin-bench crash-verify --data {} {}", parent.display(), self.options)
            }
        }
    }
}
