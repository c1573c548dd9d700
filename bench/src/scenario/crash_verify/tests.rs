use std::path::Path;

use clap::Parser;
use florin_harness::served::damage::campaign;
use florin_harness::served::damage::case::Case;
use florin_harness::served::damage::harm::HarmKind;
use florin_harness::served::damage::judge::Found;
use florin_harness::served::damage::layout::FileKind;
use florin_harness::served::ledger::{Promise, Violation};

use super::outcome::{Broken, Outcome};
use super::written::{object, page, prepare, tables};
use crate::cli::{Cli, Command, CrashVerifyArguments};

fn parse(line: &str) -> Result<CrashVerifyArguments, clap::Error> {
    let words = ["florin-bench", "crash-verify"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words)?.command {
        Command::CrashVerify(arguments) => Ok(arguments),
        other => panic!("a check was asked for, not {other:?}"),
    }
}

/// A run with two kills and three cases.
fn outcome() -> Outcome {
    let mut outcome = Outcome { stored_batches: 77, seconds: 12.34, ..Outcome::default() };
    outcome.endings.extend([("killed under load", 2), ("stopped in order", 1)]);
    outcome.totals.acked_records = 4321;
    let kinds = outcome.cases.entry((FileKind::Segment, HarmKind::Flip)).or_default();
    kinds.extend([(Found::OffsetsRefused, 2), (Found::Harmless, 1)]);
    outcome
}

fn broken(rule: &'static str) -> campaign::Broken {
    let case = Case { number: 17, file: FileKind::Ring, kind: HarmKind::Delete, harms: Vec::new() };
    let violation = Violation { rule, what: "batch 3 is gone".to_owned() };
    campaign::Broken { violation, case: Some(case), directory: "/data/kept/damaged".into() }
}

#[test]
fn words_on_the_command_line_say_how_much_is_done_and_where() {
    let arguments = parse("").unwrap();
    assert_eq!((arguments.rounds, arguments.cases, arguments.seed), (25, 60, 1));
    let arguments = parse("--rounds 200 --cases 300 --seed 9 --data /var/lib --json --report page.md").unwrap();
    assert_eq!((arguments.rounds, arguments.cases, arguments.seed, arguments.json), (200, 300, 9, true));
    assert!(parse("--replay /data/kept").is_err(), "which case?");
    assert!(parse("--case 3").is_err(), "where?");
    assert!(parse("--replay /data/kept --case 3 --rounds 4").is_err(), "one case is played, and nothing else");
    assert_eq!(parse("--replay /data/kept --case 3 --seed 5").unwrap().case, Some(3));
}

#[test]
fn folder_that_is_not_there_is_refused_and_a_report_that_cannot_be_written_is_known_before() {
    let error = super::run(&parse("--data /nowhere/at/all").unwrap()).unwrap_err();
    assert!(format!("{error:#}").contains("/nowhere/at/all"), "{error:#}");
    let error = prepare(Some(Path::new("/nowhere/page.md"))).unwrap_err().to_string();
    assert!(error.contains("/nowhere/page.md") && error.contains("--report"), "{error}");
    prepare(None).unwrap();
}

#[test]
fn report_says_what_was_done_what_was_found_and_on_what() {
    let facts = [("device", "a disk of tests".to_owned())];
    let page = page(&parse("").unwrap(), &facts, &outcome());
    let words =
        ["Verdict: nothing is broken.", "a disk of tests", "killed under load", "4321", "hold 77 batches", "seed 1"];
    for word in words {
        assert!(page.contains(word), "{word:?} is not in:\n{page}");
    }
    let row = page.lines().find(|line| line.contains("segment file")).unwrap();
    let cells: Vec<_> = row.split('|').map(str::trim).collect();
    assert_eq!(cells, ["", "segment file", "bit flipped", "3", "1", "0", "2", "0", "0", ""]);
    let only_kills = tables(&parse("--cases 0").unwrap(), &outcome());
    assert!(!only_kills.contains("segment file"), "{only_kills}");
}

#[test]
fn broken_promise_is_counted_under_its_name_and_the_command_that_replays_it_is_said() {
    let mut outcome = outcome();
    outcome.broken = Some(Broken::in_case(&broken("lost"), 9, 60));
    let counts: Vec<u32> = Promise::ALL.map(|promise| outcome.broken_count(promise)).to_vec();
    assert_eq!(counts, [1, 0, 0, 0, 0, 0, 0]);
    let object = serde_json::to_value(object(&parse("--seed 9").unwrap(), &[], &outcome)).unwrap();
    assert_eq!((&object["lost"], &object["doubled"], &object["verdict"]), (&1.into(), &0.into(), &"broken".into()));
    let broken = outcome.broken.unwrap();
    assert!(broken.what.contains("batch 3 is gone") && broken.what.contains("case 17"), "{}", broken.what);
    let again = broken.again(Path::new("/data/kept"));
    assert_eq!(again, "florin-bench crash-verify --seed 9 --case 17 --replay /data/kept");
    parse(again.trim_start_matches("florin-bench crash-verify")).unwrap();
    let in_rounds = Broken::in_rounds("it ended by itself".to_owned(), None, 9, 25).again(Path::new("/data/kept"));
    assert_eq!(in_rounds, "florin-bench crash-verify --data /data --rounds 25 --cases 0 --seed 9");
    parse(in_rounds.trim_start_matches("florin-bench crash-verify")).unwrap();
}

#[test]
fn run_that_ended_early_does_not_say_that_all_is_well() {
    let early = Outcome { is_cut_short: true, ..outcome() };
    assert!(early.verdict().contains("what there was time for"));
}
