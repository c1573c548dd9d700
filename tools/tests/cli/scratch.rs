//! A directory for one test, the program run on it, and ways to damage it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// What the program answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// The one JSON document on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the exit code and that standard output and error together hold every word.
    pub fn assert(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.out.contains(word) || self.err.contains(word), "no {word:?} in {self:#?}");
        }
    }
}

/// The program, without what is set for another server or for tests.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_florin"));
    for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if name.starts_with("FLORIN_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the program.
pub fn florin(arguments: &[&str]) -> Answer {
    answer(program().args(arguments))
}

/// Runs a command to its end.
pub fn answer(command: &mut Command) -> Answer {
    let output = command.output().expect("the program runs");
    Answer {
        code: output.status.code().expect("the program ends by itself"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A place on a real disk that is removed with the test.
pub struct Scratch {
    root: TempDir,
}

impl Scratch {
    pub fn new() -> Self {
        Self { root: TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for the test") }
    }

    /// With a formatted directory of one shard.
    pub fn formatted() -> Self {
        let scratch = Self::new();
        scratch.run("format", &Self::SIZES).assert(0, &["formatted"]);
        scratch
    }

    /// Arguments for a small directory of one shard, fit for any file system that tests run on.
    pub const SIZES: [&str; 7] = [
        "--shards=1",
        "--journal-files=4",
        "--journal-file-bytes=64KiB",
        "--manifest-bytes",
        "32KiB",
        "--allow-cow",
        "--no-direct",
    ];

    /// Where the data directory is, or will be.
    pub fn directory(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// Runs a command on the data directory.
    pub fn run(&self, command: &str, more: &[&str]) -> Answer {
        let directory = self.directory();
        let words = command.split(' ').chain([directory.to_str().expect("a plain path")]).chain(more.iter().copied());
        florin(&words.collect::<Vec<_>>())
    }

    /// A file in the data directory.
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory().join(file)
    }

    /// Flips one bit.
    pub fn flip(&self, file: &str, position: u64) {
        let byte = self.bytes(file)[usize::try_from(position).expect("a small file")];
        self.overwrite(file, position, &[byte ^ 0x10]);
    }

    /// Puts other bytes into a file.
    pub fn overwrite(&self, file: &str, position: u64, bytes: &[u8]) {
        let handle = OpenOptions::new().write(true).open(self.path(file)).expect("the file is there");
        handle.write_all_at(bytes, position).expect("written");
    }

    /// Gives a file another size.
    pub fn resize(&self, file: &str, bytes: u64) {
        let handle = OpenOptions::new().write(true).open(self.path(file)).expect("the file is there");
        handle.set_len(bytes).expect("resized");
    }

    pub fn remove(&self, file: &str) {
        fs::remove_file(self.path(file)).expect("removed");
    }

    pub fn bytes(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).expect("read")
    }

    /// The names in a directory, sorted.
    pub fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("listed");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("listed").file_name()).collect();
        names.sort();
        names.into_iter().map(|name| name.into_string().expect("a plain name")).collect()
    }
}
