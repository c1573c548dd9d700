//! Case after case, each on a fresh copy of a sound directory.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real files")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::case::Case;
use super::expected::Expected;
use super::harm::HarmKind;
use super::judge::{Found, judge};
use super::layout::FileKind;
use super::observe::observe;
use super::sound::{self, EndedBy, Sound};
use crate::served::ledger::Violation;

/// The damaged copy, below the folder of the campaign.
const COPY: &str = "damaged";

/// A case that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// What was damaged.
    pub case: Case,
    /// How the server had ended before.
    pub ended: EndedBy,
    /// What the next start made of it.
    pub found: Found,
}

/// A case that broke a promise; the damaged directory is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub violation: Violation,
    /// What was damaged.
    pub case: Option<Case>,
    /// The damaged directory, as the server left it.
    pub directory: PathBuf,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.violation)?;
        if let Some(case) = &self.case {
            let harms: Vec<_> = case.harms.iter().map(ToString::to_string).collect();
            write!(f, "\n  case {}, {} {}: {}", case.number, case.file.name(), case.kind.name(), harms.join("; "))?;
        }
        write!(f, "\n  directory {} (kept)", self.directory.display())
    }
}

/// Sound directories, and a place for damaged ones.
pub struct Campaign {
    home: PathBuf,
    program: Option<PathBuf>,
    seed: u64,
    sounds: [Sound; 2],
}

/// How often each kind of damage to each kind of file was found to be what.
pub type Tally = BTreeMap<(FileKind, HarmKind), BTreeMap<Found, u32>>;

impl Campaign {
    /// Makes the sound directories in a folder that is there.
    ///
    /// # Errors
    /// If a server does not do what it must.
    pub fn make(home: &Path, program: Option<&Path>, seed: u64, say: &mut dyn FnMut(&str)) -> Result<Self, String> {
        let sounds = sound::make(home, program, say)?;
        Ok(Self { home: home.to_owned(), program: program.map(Path::to_owned), seed, sounds })
    }

    /// Takes the sound directories that an earlier campaign left in a folder.
    ///
    /// # Errors
    /// If they are not there, or not sound.
    pub fn resume(home: &Path, program: Option<&Path>, seed: u64) -> Result<Self, String> {
        let [stopped, killed] = EndedBy::ALL.map(|ended| Sound::read(home, ended));
        let sounds = [stopped?, killed?];
        Ok(Self { home: home.to_owned(), program: program.map(Path::to_owned), seed, sounds })
    }

    /// Batches in both directories.
    pub fn batch_count(&self) -> usize {
        self.sounds.iter().map(|sound| sound.truth.batch_count()).sum()
    }

    /// Starts on both directories as they are: everything must be served.
    ///
    /// # Errors
    /// If it is not.
    pub fn control(&self) -> Result<(), Box<Broken>> {
        for sound in &self.sounds {
            self.play(sound, None)?;
        }
        Ok(())
    }

    /// Plays the case of a number.
    ///
    /// # Errors
    /// If a promise was broken.
    pub fn case(&self, number: u32) -> Result<Played, Box<Broken>> {
        let sound = &self.sounds[number as usize % self.sounds.len()];
        let case = Case::choose(number, self.seed, &sound.directory, &sound.layout);
        let case = case.map_err(|what| self.broken(what, None))?;
        let found = self.play(sound, Some(&case))?;
        Ok(Played { case, ended: sound.ended, found })
    }

    fn broken(&self, what: String, case: Option<&Case>) -> Box<Broken> {
        let violation = Violation { rule: "unexpected", what };
        Box::new(Broken { violation, case: case.cloned(), directory: self.home.join(COPY) })
    }

    /// Copies, damages, starts, reads and judges. The copy is kept if anything is wrong.
    fn play(&self, sound: &Sound, case: Option<&Case>) -> Result<Found, Box<Broken>> {
        let directory = self.home.join(COPY);
        let error = |what: String| self.broken(what, case);
        remove(&directory).map_err(error)?;
        sound::copy(&sound.directory, &directory).map_err(error)?;
        let mut files = Vec::new();
        for harm in case.iter().flat_map(|case| &case.harms) {
            harm.apply(&directory).map_err(error)?;
            files.extend(harm.files());
        }
        let expected = Expected::of(&sound.layout, &sound.directory, &directory, &files).map_err(error)?;
        let start = sound::start(&directory, self.program.as_deref());
        let observed = observe(&start, &directory, &sound.truth).map_err(error)?;
        let found = judge(&sound.truth, sound.ended, &expected, &observed);
        let found = found.map_err(|violation| Broken { violation, ..*self.broken(String::new(), case) })?;
        remove(&directory).map_err(error)?;
        Ok(found)
    }
}

fn remove(directory: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{} cannot be removed: {error}", directory.display()))
        }
        _ => Ok(()),
    }
}
