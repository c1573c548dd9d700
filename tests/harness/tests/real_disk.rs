//! A real process on a real disk, killed again and again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use florin_engine::format::layout::Geometry;
use florin_harness::real::directory;
use florin_harness::real::line::{Line, Sent};
use florin_harness::real::model::{Ending, Model};
use florin_harness::real::process::{Appender, Ended, Start};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SHARD_COUNT: u16 = 2;
/// Kills of a serving process.
const KILL_COUNT: u32 = 50;
/// After this many kills comes a kill during start-up, and half a turn later an orderly stop.
const OTHER_ENDING_EVERY: u32 = 8;
const PRODUCER_COUNT: u32 = 6;
/// The longest rest of a producer, so that a run seldom uses up its share of the ring before it is killed.
const PAUSE_US: u64 = 4000;
/// Nothing is freed while every batch is only in the journal: each kill seals a file, half of it unused on average,
/// and what is written in between needs the rest.
const GEOMETRY: Geometry = Geometry { file_count: 128, file_bytes: 1024 * 1024, manifest_bytes: 256 * 1024 };

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    KilledServing,
    KilledStarting,
    Stopped,
}

/// Kills of a serving process, with the other endings in between.
fn rounds() -> Vec<Round> {
    let mut rounds = Vec::new();
    for kill in 0..KILL_COUNT {
        rounds.push(Round::KilledServing);
        match kill % OTHER_ENDING_EVERY {
            3 => rounds.push(Round::KilledStarting),
            7 => rounds.push(Round::Stopped),
            _ => {}
        }
    }
    rounds.push(Round::Stopped);
    rounds
}

struct Harness {
    directory: PathBuf,
    seed: u64,
    random: ChaCha8Rng,
    model: Model,
    run: u32,
    run_count: u32,
    resumed: Vec<Sent>,
}

impl Harness {
    fn start(&mut self, producer_count: u32) -> Appender {
        let blocks_in_flight = [1, 2, 4][self.random.random_range(0..3)];
        let start = Start {
            program: Path::new(env!("CARGO_BIN_EXE_appender")),
            directory: &self.directory,
            shard_count: SHARD_COUNT,
            producer_count,
            run: self.run,
            seed: self.seed,
            blocks_in_flight,
            pause_us: PAUSE_US,
            unused_files_min: self.unused_files_min(),
            resumed: &self.resumed,
        };
        Appender::start(&start).expect("the appender starts")
    }

    /// What later runs need of the ring, if each gets the same share.
    fn unused_files_min(&self) -> u64 {
        u64::from(GEOMETRY.file_count) * u64::from(self.run_count - self.run - 1) / u64::from(self.run_count)
    }

    fn round(&mut self, round: Round) {
        let mut appender = self.start(PRODUCER_COUNT);
        let ending = if round == Round::Stopped { Ending::Stopped } else { Ending::Killed };
        let outcome = match round {
            Round::KilledServing => self.serve(&mut appender).and_then(|()| appender.kill()),
            Round::KilledStarting => self.begin(&mut appender).and_then(|()| appender.kill()),
            Round::Stopped => self.serve(&mut appender).and_then(|()| appender.stop()),
        };
        self.judge(outcome, ending);
    }

    /// Lets every shard serve, for a random time.
    fn serve(&mut self, appender: &mut Appender) -> Result<(), String> {
        for _ in 0..SHARD_COUNT {
            let serving = appender.listen_until(|line| matches!(line, Line::Serving { .. } | Line::Wrong(_)))?;
            if !serving {
                return Ok(());
            }
        }
        appender.listen_for(Duration::from_micros(self.random.random_range(20_000..250_000)))
    }

    /// Lets a shard begin to open, for a random time.
    fn begin(&mut self, appender: &mut Appender) -> Result<(), String> {
        if appender.listen_until(|line| matches!(line, Line::Opening { .. }))? {
            appender.listen_for(Duration::from_micros(self.random.random_range(0..60_000)))?;
        }
        Ok(())
    }

    fn judge(&mut self, outcome: Result<Ended, String>, ending: Ending) {
        let ended = outcome.unwrap_or_else(|what| panic!("{}: {what}", self.whereabouts()));
        if let Err(what) = self.model.judge(self.run, &ended.lines, ending) {
            panic!("{}: {what}", self.whereabouts());
        }
        if ending == Ending::Stopped {
            assert!(ended.status.success(), "{}: the appender ended with {}", self.whereabouts(), ended.status);
        }
        self.resumed = self.model.last_stamped(self.run);
        // Half of the producers go on with their old identity.
        let kept = self.resumed.len().div_ceil(2);
        self.resumed.truncate(kept);
        self.run += 1;
    }

    fn whereabouts(&self) -> String {
        format!("seed {}, run {}, directory {} (kept)", self.seed, self.run, self.directory.display())
    }
}

#[test]
fn fifty_sigkills_lose_no_acked_record_and_move_no_offset() {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(reason) = directory::reason_to_skip(parent) {
        println!("SKIP fifty_sigkills_lose_no_acked_record_and_move_no_offset: {reason}");
        return;
    }
    let seed = std::env::var("FLORIN_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let temporary = tempfile::Builder::new().prefix("real-disk-").tempdir_in(parent).expect("a directory");
    // A failure leaves it behind, to be looked at.
    let directory = temporary.keep();
    let data = directory.join("data");
    directory::create(&data, SHARD_COUNT, GEOMETRY).expect("it can be formatted");
    let rounds = rounds();
    let mut harness = Harness {
        directory: data,
        seed,
        random: ChaCha8Rng::seed_from_u64(seed),
        model: Model::default(),
        run: 0,
        run_count: u32::try_from(rounds.len()).expect("a handful") + 1,
        resumed: Vec::new(),
    };
    for round in &rounds {
        harness.round(*round);
    }
    let appender = harness.start(0);
    harness.judge(appender.wait(), Ending::Stopped);

    let contents = directory::verify(&harness.directory).expect("no journal is damaged");
    assert!(contents.clean && contents.cut_count == 0, "the directory was closed in order: {contents:?}");
    assert!(contents.batches.iter().eq(harness.model.known()), "the journals hold what was read back");
    let totals = harness.model.totals();
    let count = |wanted: Round| rounds.iter().filter(|round| **round == wanted).count();
    println!(
        "seed {seed}: {} rounds: {} killed while serving, {} killed during start-up, {} stopped in order; \
         {} batches and {} journal blocks at the end; {totals:#?}",
        rounds.len(),
        count(Round::KilledServing),
        count(Round::KilledStarting),
        count(Round::Stopped),
        contents.batches.len(),
        contents.block_count,
    );
    assert!(totals.acked_batch_count > 1000, "there was hardly anything to lose");
    std::fs::remove_dir_all(directory).expect("it was ours");
}
