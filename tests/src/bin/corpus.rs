//! Writes the inputs that the fuzz targets begin with, into one folder for each target.

#![allow(clippy::disallowed_methods, reason = "a tool of its own that writes plain files")]

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use florin_tests::fuzz::TARGETS;

/// Writes the inputs that the fuzz targets begin with.
#[derive(Debug, Parser)]
struct Options {
    /// The folder in which each target has one. What the fuzzer found there before stays.
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    for target in TARGETS {
        let folder = options.folder.join(target.name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let seeds = (target.seeds)();
        for (number, seed) in seeds.iter().enumerate() {
            let path = folder.join(format!("seed-{number:02}"));
            std::fs::write(&path, seed).with_context(|| format!("cannot write {}", path.display()))?;
        }
        println!("{}: {} seeds", target.name, seeds.len());
    }
    Ok(())
}
