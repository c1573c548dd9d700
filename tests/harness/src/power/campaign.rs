//! A server that lives on a disk in memory through many losses of power, and many more that are tried on the side.
//!
//! Each life is one round of [`kill`](crate::served::kill): start, read everything back, load, end. Then cuts are tried
//! at points of the life's record: each on a disk of its own, with clients who know what was known at that point. Last,
//! the power is cut at the end of the record, and the next life begins with what is left.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::cut::{Honesty, Tally, cut};
use super::disk::Disk;
use super::image::{Image, ROOT};
use super::mount::Mounted;
use super::record::{Change, Record};
use super::trouble::Trouble;
use crate::served::kill::{Ending, Harness};
use crate::served::ledger::Totals as Told;
use crate::served::ledger::tape::Tape;
use crate::served::ledger::{Ledger, Violation};

/// Rounds between those of a life and those of a cut in it: no number of a round is used twice on one line of time.
const RUNS_APART: u32 = 1 << 20;
/// One in this many times the process alone is killed, and the power is cut below the next one.
const KILL_ONE_IN: u32 = 5;
/// Of the cuts, one in this many is tried while the directory is made.
const FORMAT_ONE_IN: u32 = 10;
/// What a start says of a directory that nobody was ever served from.
const NEVER_SERVED: [&str; 2] = ["it has no identity", "is not empty"];
/// Cuts in starts behind cuts, at most.
const DEPTH_MAX: u32 = 3;
/// One in this many cuts is followed by a cut in the start that comes after it.
const CUT_AGAIN_ONE_IN: u32 = 3;
/// One in this many servers after a cut is stopped in order, and its files are held against what is known.
const STOP_ONE_IN: u32 = 4;

/// How a campaign is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides everything that is not decided by processes.
    pub seed: u64,
    /// Cuts that are tried in all, without those that end a life.
    pub cuts: u32,
    /// Of these, in each life.
    pub cuts_per_life: u32,
    /// Whether the disk keeps what it said is durable.
    pub honesty: Honesty,
    /// What else happens, in every second life from the first on.
    pub trouble: Trouble,
    /// The server, if it is another one than that of the workspace.
    pub program: Option<PathBuf>,
}

/// What was played.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Lives of the server, each ended by a cut.
    pub lives: u32,
    /// Cuts that were tried on the side.
    pub cuts: u32,
    /// Of these, below a server that was started after another cut or a kill.
    pub cuts_in_starts: u32,
    /// Kills of a process at a point of its record, each followed by a cut below the next one.
    pub kills: u32,
    /// Directories that were found unfinished, because the power was cut while they were made.
    pub unfinished: u32,
    /// Changes in all records.
    pub changes: u64,
    /// What cuts did to changes.
    pub tally: Tally,
    /// Batches that were known to be stored when the power was cut, over all cuts.
    pub held_to: u64,
    /// How often a disk had no space.
    pub refused_for_space: u64,
    /// What the clients of the lives were told.
    pub told: Told,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lives, cuts, cuts_in_starts, kills, unfinished, changes, tally, held_to, refused_for_space, told } =
            self;
        writeln!(
            f,
            "{lives} lives, {cuts} cuts on the side, {cuts_in_starts} of them below a server that was started after a cut or a kill"
        )?;
        writeln!(f, "{kills} kills of the process before a cut; {unfinished} directories whose making was cut off")?;
        writeln!(f, "{} acknowledgements of {} records; {changes} changes on disks", told.acked, told.acked_records)?;
        writeln!(f, "{held_to} batches that were known to be stored were looked for after cuts")?;
        writeln!(
            f,
            "changes at cuts: {} durable; not durable {} lost, {} kept, {} torn, of these {} writes in flight",
            tally.durable, tally.lost, tally.kept, tally.torn, tally.in_flight
        )?;
        write!(f, "names at cuts, not durable: {} lost, {} kept", tally.names_lost, tally.names_kept)?;
        if *refused_for_space > 0 {
            write!(f, "\n{refused_for_space} times a disk was full; {:?}", told.refused)
        } else {
            Ok(())
        }
    }
}

/// A campaign that did not hold.
#[derive(Clone, Debug)]
pub struct Broken {
    /// What happened, and after which cut.
    pub what: String,
    /// The promise that was broken, if it is one that the ledger knows.
    pub violation: Option<Violation>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// A line of time: what was done to the disk, and what clients knew meanwhile.
struct Past {
    record: Record,
    tape: Tape,
    run: u32,
    /// Events that had happened before clients came.
    from: u64,
    /// Events after which the power must be cut as well.
    marks: Vec<u64>,
    trouble: Trouble,
}

/// The campaign.
struct Campaign<'a> {
    plan: &'a Plan,
    home: &'a Path,
    random: ChaCha8Rng,
    harness: Harness,
    image: Image,
    totals: Totals,
}

/// Plays a campaign in an empty directory, on a thread with mounts of its own; `say` hears of each life.
///
/// # Errors
/// If a promise was broken. What the disk held after the cut is then in `home` for somebody to look at.
pub fn play(home: &Path, plan: &Plan, say: &mut dyn FnMut(&Totals)) -> Result<Totals, Broken> {
    let mut campaign = Campaign {
        plan,
        home,
        random: ChaCha8Rng::seed_from_u64(plan.seed),
        harness: harness(&home.join("disk"), plan.seed, plan),
        image: Image::default(),
        totals: Totals::default(),
    };
    campaign.format()?;
    while campaign.totals.cuts < plan.cuts {
        campaign.life()?;
        say(&campaign.totals);
    }
    Ok(campaign.totals)
}

fn harness(disk: &Path, seed: u64, plan: &Plan) -> Harness {
    let mut harness = Harness::new(&disk.join("data"), seed);
    if matches!(plan.trouble, Trouble::DiskFills(_)) {
        harness = harness.on_a_small_disk();
    }
    match &plan.program {
        Some(program) => harness.program(program),
        None => harness,
    }
}

fn outside(what: String) -> Broken {
    Broken { what, violation: None }
}

impl Campaign<'_> {
    /// Makes the directory: until that has ended nobody was promised anything.
    fn format(&mut self) -> Result<(), Broken> {
        let disk = Disk::new(Image::default());
        let mounted = Mounted::new(&self.home.join("disk"), &disk, self.plan.seed).map_err(outside)?;
        self.harness.keep_tape(disk.events());
        let outcome = self.harness.revive(true);
        drop(mounted);
        let tape = self.harness.take_tape().expect("it was kept");
        outcome.map_err(outside)?;
        let (marks, trouble) = (Vec::new(), Trouble::None);
        let mut past = Past { record: disk.record(), tape, run: self.harness.run(), from: 0, marks, trouble };
        while self.totals.cuts < self.plan.cuts.div_ceil(FORMAT_ONE_IN) {
            self.fall(&mut past, 0)?;
        }
        self.end(&past.record);
        Ok(())
    }

    /// The power is cut at the end of a record, and the next life begins with what is left.
    fn end(&mut self, record: &Record) {
        let (image, tally) = cut(record, record.events.count(), self.random.next_u64(), Honesty::Honest);
        self.totals.tally.add(&tally);
        self.image = image;
    }

    fn life(&mut self) -> Result<(), Broken> {
        let disk = Disk::new(std::mem::take(&mut self.image));
        let mounted = Mounted::new(&self.home.join("disk"), &disk, self.random.next_u64()).map_err(outside)?;
        self.harness.keep_tape(disk.events());
        let ending = match self.totals.lives % 4 {
            1 => Ending::KillStopping,
            3 => Ending::Stop,
            _ => Ending::Kill,
        };
        let trouble = if self.totals.lives.is_multiple_of(2) { self.plan.trouble } else { Trouble::None };
        trouble.prepare(&disk);
        let mut marks = Vec::new();
        let outcome = self.harness.hindered_round(ending, &mut |server, scene| {
            let begun = trouble.happen(&disk, server, scene)?;
            marks.extend((trouble != Trouble::None).then_some(begun));
            Ok(())
        });
        drop(mounted);
        self.totals.refused_for_space += disk.refused_for_space();
        let tape = self.harness.take_tape().expect("it was kept");
        let mut past = Past { record: disk.record(), tape, run: self.harness.run(), from: 0, marks, trouble };
        self.totals.lives += 1;
        self.totals.told = self.harness.totals();
        self.totals.changes += past.record.entries.len() as u64;
        outcome.map_err(|what| Broken {
            what: format!("life {}, {}: {what}", self.totals.lives, ending.name()),
            violation: self.harness.violation(),
        })?;
        let wanted = self.totals.cuts + self.plan.cuts_per_life.min(self.plan.cuts - self.totals.cuts);
        while self.totals.cuts < wanted {
            self.fall(&mut past, 0)?;
        }
        self.end(&past.record);
        Ok(())
    }

    /// Cuts the power or kills the process somewhere in the past, and lets a server go on from there.
    fn fall(&mut self, past: &mut Past, depth: u32) -> Result<(), Broken> {
        let is_marked = !past.marks.is_empty();
        let events = self.point(past);
        let seed = self.random.next_u64();
        let is_kill = !is_marked && depth < DEPTH_MAX && self.random.random_ratio(1, KILL_ONE_IN);
        let (ground, tally) = if is_kill {
            self.totals.kills += 1;
            (past.record.after_kill(events), Tally::default())
        } else {
            self.totals.cuts += 1;
            self.totals.cuts_in_starts += u32::from(depth > 0);
            let (image, tally) = cut(&past.record, events, seed, self.plan.honesty);
            (Record::new(image), tally)
        };
        self.totals.tally.add(&tally);
        let ledger = past.tape.ledger_after(events);
        self.totals.held_to += ledger.known().count() as u64;
        let at = format!(
            "life {}, cut {}, depth {depth}, {}: after {events} of {} events, seed {seed}, {tally:?}",
            self.totals.lives,
            self.totals.cuts,
            if is_kill { "a kill" } else { "a cut" },
            past.record.events.count(),
        );
        let image = ground.current();
        let next = self.go_on(ground, ledger, past, seed).map_err(|broken| Broken {
            what: format!("{at}: {}\n{}", broken.what, self.keep(&image)),
            violation: broken.violation,
        })?;
        let is_followed = is_kill || depth < DEPTH_MAX && self.random.random_ratio(1, CUT_AGAIN_ONE_IN);
        match next {
            Some(mut next) if is_followed => self.fall(&mut next, depth + 1),
            _ => Ok(()),
        }
    }

    /// A server on what is left, and clients who know what was known then; none if nobody was ever served from there and
    /// the server says why nobody can be.
    fn go_on(&mut self, ground: Record, ledger: Ledger, past: &Past, seed: u64) -> Result<Option<Past>, Broken> {
        let (from, disk, trouble) = (ground.events.count(), Disk::after(ground), past.trouble);
        trouble.remain(&disk);
        let mounted = Mounted::new(&self.home.join("cut"), &disk, seed).map_err(outside)?;
        let mut harness = harness(mounted.path(), seed, self.plan).knowing(ledger, past.run + RUNS_APART);
        harness.keep_tape(disk.events());
        let is_killed = !self.random.random_ratio(1, STOP_ONE_IN);
        let outcome = harness.revive(is_killed);
        drop(mounted);
        let tape = harness.take_tape().expect("it was kept");
        if let Err(what) = outcome {
            if harness.totals().restarts == 0 && NEVER_SERVED.iter().any(|said| what.contains(said)) {
                self.totals.unfinished += 1;
                return Ok(None);
            }
            return Err(Broken { what, violation: harness.violation() });
        }
        Ok(Some(Past { record: disk.record(), tape, run: harness.run(), from, marks: Vec::new(), trouble }))
    }

    /// A point to cut at: anywhere, exactly where something was told, while a durable write is under way, or where
    /// something rare happens.
    fn point(&mut self, past: &mut Past) -> u64 {
        if let Some(mark) = past.marks.pop() {
            return mark;
        }
        let all = past.record.events.count();
        let is_durable = |change: &Change| matches!(change, Change::Write { is_durable: true, .. });
        let entries = || past.record.entries.iter();
        let candidates = match self.random.random_range(0..4) {
            0 => Vec::new(),
            1 => past.tape.told_after(),
            2 => {
                // Each file as often as any other: superblocks and manifests are written seldom.
                let durable = || entries().filter(|entry| is_durable(&entry.change));
                let files: BTreeSet<_> = durable().filter_map(|entry| entry.change.file()).collect();
                let chosen = files.iter().nth(self.random.random_range(0..files.len().max(1)));
                let of_it = durable().filter(|entry| entry.change.file().as_ref() == chosen);
                of_it.map(|entry| entry.begun + 1).collect()
            }
            _ => {
                let rare = entries().filter(|entry| !is_durable(&entry.change));
                rare.flat_map(|entry| [Some(entry.begun), entry.reported]).flatten().collect()
            }
        };
        let candidates: Vec<u64> = candidates.into_iter().filter(|event| *event >= past.from).collect();
        if candidates.is_empty() {
            return self.random.random_range(past.from..=all);
        }
        let near = candidates[self.random.random_range(0..candidates.len())];
        (near + self.random.random_range(0..2)).min(all)
    }

    /// Keeps what a disk held, for somebody to look at; says where.
    #[allow(clippy::disallowed_methods, reason = "what is kept of a failure goes to a real disk")]
    fn keep(&self, image: &Image) -> String {
        let to = self.home.join("after-the-cut");
        match std::fs::create_dir(&to).and_then(|()| image.export(ROOT, &to)) {
            Ok(()) => format!("the disk after the cut is in {}", to.display()),
            Err(error) => format!("the disk after the cut could not be kept: {error}"),
        }
    }
}
