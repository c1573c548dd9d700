//! Breaks Florin on purpose, one rule at a time, and demands that the simulator notices.
//!
//! Each canary is an edit of the production source, applied to a copy of the workspace, so nothing in production
//! code knows of it. A canary that goes unnoticed, or whose source has changed so that the edit no longer applies,
//! fails the run.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use clap::ValueEnum;
use florin_tests::sweep::Kind;

mod clients;
mod engine;
mod transactions;

/// A rule that is broken.
struct Canary {
    name: &'static str,
    /// The worlds that notice it.
    world: Kind,
    /// The first so many seeds notice it.
    seeds: u64,
    /// File of the workspace, what stands there once, and what stands there instead.
    edits: &'static [(&'static str, &'static str, &'static str)],
}

/// Builds Florin with one rule broken after another and demands that the simulator notices each.
#[derive(Parser)]
struct Arguments {
    /// Only canaries whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Only one share of them, such as 2/3: the second, fifth and so on.
    #[arg(long, value_parser = share)]
    share: Option<(usize, usize)>,
}

/// A share as its number, from 1 on, and how many there are.
fn share(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    numbers.filter(|(number, of)| (1..=*of).contains(number)).ok_or_else(|| "write it as 1/3, 2/3 or 3/3".to_owned())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("canaries: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests crate lies in the workspace")?;
    let copy = root.join("target/canaries/workspace");
    let chosen = |canary: &&Canary| arguments.only.as_ref().is_none_or(|part| canary.name.contains(part.as_str()));
    let (number, of) = arguments.share.unwrap_or((1, 1));
    let mut unnoticed = Vec::new();
    for canary in all().filter(chosen).skip(number - 1).step_by(of) {
        copy_workspace(root, &copy)?;
        for (file, find, replace) in canary.edits {
            edit(&copy.join(file), find, replace).with_context(|| format!("canary {:?}", canary.name))?;
        }
        let binary = build(&copy, &root.join("target/canaries/build"))?;
        match sing(&binary, canary)? {
            Some(noticed) => println!("noticed within {} seeds: {}: {noticed}", canary.seeds, canary.name),
            None => unnoticed.push(canary.name),
        }
    }
    ensure!(unnoticed.is_empty(), "unnoticed within their numbers of seeds: {unnoticed:?}");
    Ok(())
}

fn all() -> impl Iterator<Item = &'static Canary> {
    engine::CANARIES.iter().chain(clients::CANARIES).chain(transactions::CANARIES)
}

/// A fresh copy of the crates that the simulator is made of. Files that did not change keep their times, so that
/// only what differs is compiled again.
fn copy_workspace(root: &Path, copy: &Path) -> anyhow::Result<()> {
    for name in ["engine", "net", "tests"] {
        copy_folder(&root.join(name), &copy.join(name))?;
    }
    for name in ["Cargo.lock", "clippy.toml"] {
        put(&copy.join(name), &std::fs::read(root.join(name)).with_context(|| name.to_owned())?)?;
    }
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).context("Cargo.toml")?;
    let members = manifest.lines().find(|line| line.starts_with("members")).context("Cargo.toml has members")?;
    put(
        &copy.join("Cargo.toml"),
        manifest.replace(members, "members = [\"engine\", \"net\", \"tests\", \"tests/harness\"]").as_bytes(),
    )
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    for item in std::fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let item = item?;
        let target = to.join(item.file_name());
        if item.file_type()?.is_dir() {
            copy_folder(&item.path(), &target)?;
        } else {
            put(&target, &std::fs::read(item.path())?)?;
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "files of a workspace copy, not of a data directory")]
fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    std::fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
}

fn edit(path: &Path, find: &str, replace: &str) -> anyhow::Result<()> {
    put(path, edited(path, find, replace)?.as_bytes())
}

fn edited(path: &Path, find: &str, replace: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let count = text.matches(find).count();
    ensure!(count == 1, "{find:?} stands {count} times in {}: adapt the canary to the code", path.display());
    Ok(text.replace(find, replace))
}

fn build(copy: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--profile", "canary", "-p", "florin-tests", "--bin", "simulate", "--target-dir"])
        .arg(target)
        .current_dir(copy)
        .output()
        .context("run cargo")?;
    if !output.status.success() {
        bail!("the broken workspace does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(target.join("canary/simulate"))
}

/// Runs the simulator on the broken workspace; the line that says what it noticed.
fn sing(binary: &Path, canary: &Canary) -> anyhow::Result<Option<String>> {
    let world = canary.world.to_possible_value().context("every world has a name")?;
    let output = Command::new(binary)
        .args(["--world", world.get_name(), "--seeds", &canary.seeds.to_string(), "--briefly"])
        .output()
        .context("run the simulator")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(" broke "));
    match (output.status.success(), line) {
        (true, _) => Ok(None),
        (false, Some(line)) => Ok(Some(line.to_owned())),
        (false, None) => {
            bail!("the simulator failed without a word:\n{text}{}", String::from_utf8_lossy(&output.stderr))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_canary_finds_its_place_in_the_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate lies in the workspace");
        for canary in all() {
            for (file, find, replace) in canary.edits {
                edited(&root.join(file), find, replace).unwrap_or_else(|error| panic!("{}: {error:#}", canary.name));
            }
        }
    }

    #[test]
    fn shares_are_all_canaries_and_each_once() {
        let names = |number: usize, of: usize| all().skip(number - 1).step_by(of).map(|canary| canary.name);
        let mut shared: Vec<_> = (1..=3).flat_map(|number| names(number, 3)).collect();
        shared.sort_unstable();
        let mut every: Vec<_> = all().map(|canary| canary.name).collect();
        every.sort_unstable();
        assert_eq!(shared, every);
        assert_eq!((share("2/3"), share("0/3").is_err(), share("4/3").is_err()), (Ok((2, 3)), true, true));
    }
}
