//! What is said of a run: tables on standard output or one JSON object, and a report in Markdown.

#![allow(clippy::disallowed_methods, reason = "a report is written where it is told to")]

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use florin_harness::served::damage::judge::Found;
use florin_harness::served::ledger::Promise;

use super::outcome::Outcome;
use crate::cli::CrashVerifyArguments;
use crate::machine::Machine;
use crate::report::{self, Object, Table};

/// Finds out before anything is done whether the report can be written.
pub fn prepare(page: Option<&Path>) -> Result<()> {
    let Some(page) = page else { return Ok(()) };
    let folder = page.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(
        folder.is_dir() && !page.is_dir(),
        "{} cannot be the report: give --report the name of a file in a directory that exists",
        page.display()
    );
    Ok(())
}

/// Prints what was found, and writes the report if one is asked for.
pub fn publish(arguments: &CrashVerifyArguments, machine: &Machine, outcome: &Outcome) -> Result<()> {
    let facts = machine.facts();
    let text = if arguments.json {
        serde_json::to_string(&object(arguments, &facts, outcome)).context("the answer cannot be put into JSON")? + "\n"
    } else {
        format!("{}\n{}", machine.line(), tables(arguments, outcome))
    };
    report::print(&text)?;
    if let Some(path) = &arguments.report {
        std::fs::write(path, page(arguments, &facts, outcome)).with_context(|| {
            format!("{} cannot be written: give --report a file that may be written", path.display())
        })?;
    }
    Ok(())
}

/// The command as it was given, for whoever wants to do it again.
fn command() -> String {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    words.join(" ")
}

/// The whole report.
pub fn page(arguments: &CrashVerifyArguments, facts: &[(&'static str, String)], outcome: &Outcome) -> String {
    let mut text = String::from("# Crashes and damage\n\n");
    let _ = writeln!(text, "Verdict: {}.\n", outcome.verdict());
    if let Some(broken) = &outcome.broken {
        let _ = writeln!(text, "```text\n{}\n```\n", broken.what);
    }
    let mut machine = Table::new(&["what", "value"]);
    for (name, value) in facts {
        machine.row(vec![(*name).to_owned(), value.clone()]);
    }
    machine.row(vec!["seconds".to_owned(), format!("{:.0}", outcome.seconds)]);
    let _ = writeln!(text, "{}\n```sh\n{}\n```\n\n{}", machine.render(), command(), tables(arguments, outcome));
    text
}

/// What was done and found, as tables under headings.
pub fn tables(arguments: &CrashVerifyArguments, outcome: &Outcome) -> String {
    let mut text = String::new();
    if arguments.rounds > 0 {
        let _ = writeln!(text, "{} rounds of a server under load:\n\n{}", outcome.round_count(), rounds(outcome));
    }
    if arguments.cases > 0 {
        let _ = writeln!(
            text,
            "{} times files were damaged that hold {} batches:\n\n{}",
            outcome.case_count(),
            outcome.stored_batches,
            cases(outcome)
        );
    }
    let mut promises = Table::new(&["promise", "broken"]);
    for promise in Promise::ALL {
        promises.row(vec![promise.name().to_owned(), outcome.broken_count(promise).to_string()]);
    }
    let _ = writeln!(text, "{}\n{}, seed {}.", promises.render(), outcome.verdict(), arguments.seed);
    text
}

fn rounds(outcome: &Outcome) -> String {
    let mut table = Table::new(&["rounds and what clients were told", "count"]);
    let totals = &outcome.totals;
    let endings = outcome.endings.iter().map(|(name, count)| (*name, u64::from(*count)));
    let told = [
        ("batches acknowledged", totals.acked),
        ("records acknowledged", totals.acked_records),
        ("repeated acknowledgements of the same batch", totals.duplicates),
        ("batches shown to readers", totals.shown),
        ("batches read back after starts", totals.read_back),
        ("batches without an answer that were there after a start", totals.recovered_unacked),
        ("batches without an answer that were not", totals.gone_unacked),
    ];
    for (name, count) in endings.chain(told) {
        table.row(vec![name.to_owned(), count.to_string()]);
    }
    table.render()
}

fn cases(outcome: &Outcome) -> String {
    let headings: Vec<&str> = ["file", "damage", "cases"].into_iter().chain(Found::ALL.map(Found::name)).collect();
    let mut table = Table::new(&headings);
    for ((file, kind), found) in &outcome.cases {
        let total: u32 = found.values().sum();
        let counts = Found::ALL.map(|one| found.get(&one).copied().unwrap_or(0).to_string());
        let names = [file.name().to_owned(), kind.name().to_owned(), total.to_string()];
        table.row(names.into_iter().chain(counts).collect());
    }
    let ended: Vec<_> = outcome.ended.iter().map(|(ended, count)| format!("{count} {}", ended.name())).collect();
    format!("{}\nBefore the damage the server was: {}.\n", table.render(), ended.join(", "))
}

/// The same as one object.
pub fn object(arguments: &CrashVerifyArguments, facts: &[(&'static str, String)], outcome: &Outcome) -> Object {
    let mut object = Object::new();
    object.put("bench", "crash_verify").put("verdict", outcome.verdict()).put("seed", arguments.seed);
    object.put("broken", outcome.broken.as_ref().map(|broken| broken.what.clone()));
    for promise in Promise::ALL {
        object.put(&promise.name().replace(' ', "_"), outcome.broken_count(promise));
    }
    object.put("seconds", (outcome.seconds * 10.0).round() / 10.0).put("rounds", outcome.round_count());
    for (ending, count) in &outcome.endings {
        object.put(&format!("rounds_{}", ending.replace(' ', "_")), *count);
    }
    let totals = &outcome.totals;
    object.put("acknowledged_batches", totals.acked).put("acknowledged_records", totals.acked_records);
    object.put("repeated_acknowledgements", totals.duplicates).put("shown_batches", totals.shown);
    object.put("read_back_batches", totals.read_back).put("cases", outcome.case_count());
    object.put("stored_batches", outcome.stored_batches);
    for found in Found::ALL {
        object.put(&format!("cases_{}", found.name().replace(' ', "_")), outcome.found_count(found));
    }
    for (name, value) in facts {
        object.put(&name.replace(' ', "_").to_lowercase(), value.clone());
    }
    object
}
