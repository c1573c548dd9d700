//! Worlds of both kinds, played by seed: what each run gives, the same for both.

use std::collections::BTreeSet;
use std::fmt;

use clap::ValueEnum;
use florin_engine::marks::{Mark, MarkCounts};

use crate::sim::Fault;
use crate::sim::disk::Counters;
use crate::wire::{self, Part};
use crate::world::minimise::{minimise, steps_text};
use crate::world::{self, Violation};

/// What need not happen: lies, which only a world that is told to has, and worlds that end early.
const MAY_BE_MISSED: [&str; 2] = [Fault::LIE_NAME, "over_count"];
/// Turns about transactions, which only worlds of clients have.
const OF_TRANSACTIONS: [&str; 11] = [
    "CoordinatorAsked",
    "CoordinatorSilent",
    "CommitMarker",
    "AbortMarker",
    "TransactionTimedOut",
    "TransactionTakenOver",
    "TransactionEndedAgain",
    "EpochsUsedUp",
    "TransactionInquiry",
    "TransactionalIdForgotten",
    "CommittedLookedFurther",
];

/// Those that need days, thousands of transactions of one transactional id, or a shard that is out for long: tests of the
/// engine take them.
const TOO_RARE: [&str; 4] = ["CoordinatorSilent", "EpochsUsedUp", "TransactionInquiry", "TransactionalIdForgotten"];

/// A kind of world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The engine, asked by function calls: crashes, disk faults, damage and repairs.
    Engine,
    /// The whole server among clients on a network.
    Clients,
}

/// How a world is changed from what its seed says.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The disk acknowledges writes that are not durable.
    pub lying_disk: bool,
    /// What happens is said.
    pub is_traced: bool,
    /// Of the engine's worlds: only these steps are played.
    pub steps: Option<BTreeSet<u32>>,
    /// Of the worlds of clients: so many requests before everything comes to rest.
    pub operation_count: Option<u64>,
    /// Of the worlds of clients: these parts are left out.
    pub without: BTreeSet<Part>,
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Played {
    /// The broken promise, if one was.
    pub violation: Option<Violation>,
    /// Fingerprint of every durable byte at the end and of everything that was answered.
    pub digest: u64,
    /// What was done.
    pub totals: Totals,
    /// What can be left out: the last step that was played, or requests of clients.
    pub last_step: u32,
    /// What happened, if that was to be said.
    pub trace: Vec<String>,
}

/// Plays the world of a seed.
pub fn play(kind: Kind, seed: u64, changes: &Changes) -> Played {
    match kind {
        Kind::Engine => play_engine(seed, changes),
        Kind::Clients => play_clients(seed, changes),
    }
}

fn play_engine(seed: u64, changes: &Changes) -> Played {
    let plan = world::Plan {
        lying_disk: changes.lying_disk,
        steps: changes.steps.clone(),
        is_traced: changes.is_traced,
        ..world::Plan::of(seed)
    };
    let world::Outcome { summary, digest, violation, disk, marks, trace } = world::play(&plan);
    let totals = Totals { world_count: 1, done: summary.counts(), disk, marks };
    Played { violation, digest, totals, last_step: summary.last_step, trace }
}

fn play_clients(seed: u64, changes: &Changes) -> Played {
    let mut plan = wire::Plan::of(seed);
    plan.lying_disk = changes.lying_disk;
    plan.is_traced = changes.is_traced;
    changes.without.iter().for_each(|part| plan.leave_out(*part));
    plan.operation_count = changes.operation_count.unwrap_or(plan.operation_count);
    let last_step = u32::try_from(plan.operation_count).unwrap_or(u32::MAX);
    let wire::Outcome { summary, digest, violation, disk, marks, trace } = wire::play(&plan);
    let totals = Totals { world_count: 1, done: summary.counts(), disk, marks };
    Played { violation, digest, totals, last_step, trace }
}

/// Options of the command that plays as little of a world as still breaks the promise: the fewest steps, or all parts that
/// can be left out and the fewest requests. `again` plays the world with some options and says whether the same promise breaks.
pub fn least(kind: Kind, last_step: u32, try_count_max: u32, again: impl Fn(&str) -> bool) -> String {
    match kind {
        Kind::Engine => {
            let options = |steps: &BTreeSet<u32>| format!(" --steps {}", steps_text(steps));
            let fails = |steps: &BTreeSet<u32>| again(&options(steps));
            options(&minimise((0..=last_step).collect(), try_count_max, fails))
        }
        Kind::Clients => {
            let mut gone: Vec<Part> = Vec::new();
            for part in Part::value_variants() {
                gone.push(*part);
                if !again(&without_text(&gone)) {
                    let _ = gone.pop();
                }
            }
            let parts = without_text(&gone);
            let (mut too_few, mut enough) = (0, last_step);
            while too_few + 1 < enough {
                let middle = u32::midpoint(too_few, enough);
                if again(&format!("{parts} --requests {middle}")) { enough = middle } else { too_few = middle }
            }
            if enough < last_step { format!("{parts} --requests {enough}") } else { parts }
        }
    }
}

fn without_text(parts: &[Part]) -> String {
    let names: Vec<_> = parts.iter().filter_map(ValueEnum::to_possible_value).collect();
    let names: Vec<_> = names.iter().map(|value| value.get_name()).collect();
    if names.is_empty() { String::new() } else { format!(" --without {}", names.join(",")) }
}

/// What many worlds of one kind did.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Worlds.
    pub world_count: u64,
    /// What was done in them, by name.
    pub done: Vec<(&'static str, u64)>,
    /// What their disks did.
    pub disk: Counters,
    /// Which rare turns the engine took, and how often.
    pub marks: MarkCounts,
}

impl Totals {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut disk = self.disk.clone();
        disk.add(&other.disk);
        let mut done = self.done.clone();
        for (index, (name, count)) in other.done.iter().enumerate() {
            match done.get_mut(index) {
                Some((_, sum)) => *sum += count,
                None => done.push((name, *count)),
            }
        }
        Self { world_count: self.world_count + other.world_count, done, disk, marks: self.marks.plus(&other.marks) }
    }

    /// What happened in none of the worlds of clients that only they have: turns about transactions.
    pub fn missed_of_transactions(&self) -> Vec<&'static str> {
        let missed = |mark: &Mark| self.marks.of(*mark) == 0 && OF_TRANSACTIONS.contains(&mark.name());
        let names = Mark::ALL.into_iter().filter(missed).map(Mark::name);
        names.filter(|name| !TOO_RARE.contains(name)).collect()
    }

    /// What happened in none of the worlds: rare turns of the engine, and kinds of faults.
    pub fn missed(&self) -> Vec<&'static str> {
        let marks = Mark::ALL.into_iter().map(|mark| (mark.name(), self.marks.of(mark)));
        let all = marks.chain(self.done.iter().copied()).chain(self.disk.counts());
        all.filter(|(name, count)| *count == 0 && !MAY_BE_MISSED.contains(name) && !OF_TRANSACTIONS.contains(name))
            .map(|(name, _)| name)
            .collect()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &[(&str, u64)]| {
            counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "done: {}", list(&self.done))?;
        writeln!(f, "disk: {}", list(&self.disk.counts()))?;
        let marks: Vec<_> = Mark::ALL.into_iter().map(|mark| (mark.name(), self.marks.of(mark))).collect();
        writeln!(f, "marks: {}", list(&marks))
    }
}

/// Seeds of a file that are worlds of this kind. A line begins with a kind and a number; then follows a sentence.
///
/// # Errors
/// If a line begins otherwise.
pub fn seeds_of(text: &str, kind: Kind) -> Result<Vec<(u64, &str)>, String> {
    let mut seeds = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let (of, number) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let of = Kind::from_str(of, false).map_err(|_| format!("no kind of world at the start of {line:?}"))?;
        let number = number.parse().map_err(|_| format!("no seed behind the kind of world in {line:?}"))?;
        if of == kind {
            seeds.push((number, words.next().unwrap_or_default()));
        }
    }
    Ok(seeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_file_are_seeds_of_their_kind() {
        let text = "# what\nengine 85 One.\n\nclients 7 Two words.\n";
        assert_eq!(seeds_of(text, Kind::Engine), Ok(vec![(85, "One.")]));
        assert_eq!(seeds_of(text, Kind::Clients), Ok(vec![(7, "Two words.")]));
        assert!(seeds_of("85 One.", Kind::Engine).unwrap_err().contains("no kind of world"));
        assert!(seeds_of("engine x One.", Kind::Engine).unwrap_err().contains("no seed"));
    }

    #[test]
    fn all_parts_that_do_not_matter_are_left_out() {
        let again = |options: &str| !options.contains("resets") && !options.contains("hostile");
        let options = least(Kind::Clients, 0, 10, again);
        assert!(again(&options) && options.contains("library") && options.contains("shards"), "{options}");
        let requests = |options: &str| options.rsplit_once(" --requests ").map(|(_, count)| count.parse().unwrap_or(0));
        let again = |options: &str| again(options) && requests(options).is_none_or(|count: u32| count >= 77);
        assert!(least(Kind::Clients, 600, 10, again).ends_with(" --requests 77"));
    }
}
