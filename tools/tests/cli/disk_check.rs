//! What `disk-check` says of the disk that tests run on, and of what is none. No number is judged: it is not known here.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::scratch::{Scratch, florin, program};

const README: &str = include_str!("../../README.md");
const CHECKS: [&str; 11] = [
    "file_system",
    "direct_io",
    "preallocation",
    "space",
    "locked_memory",
    "io_uring",
    "device",
    "durable_write",
    "write_and_sync",
    "flushes",
    "speed",
];

fn document(scratch: &Scratch) -> (i32, Value) {
    let answer = scratch.run("disk-check", &["--seconds=1", "--allow-cow", "--no-direct", "--json"]);
    (answer.code, answer.json())
}

fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().expect("a list");
    checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no check {name} in {document}"))
}

#[test]
fn every_check_has_a_verdict_and_the_heaviest_is_the_exit_code() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.directory()).expect("made");
    fs::create_dir(scratch.path("precious")).expect("made");
    let (code, document) = document(&scratch);
    let said: Vec<_> =
        document["checks"].as_array().expect("a list").iter().map(|check| check["check"].clone()).collect();
    assert_eq!(said, CHECKS);
    let verdict = document["verdict"].as_str().expect("a word");
    let expected = match verdict {
        "fit" | "warning" => 0,
        "unfit" => 1,
        other => panic!("{other}: {document}"),
    };
    assert_eq!(code, expected, "{document}");
    assert_eq!(check(&document, "preallocation")["verdict"], "fit");
    for measurement in document["measurements"].as_array().expect("a list") {
        let number = |name: &str| measurement["latency"][name].as_u64().expect("a number");
        assert!(measurement["write_count"].as_u64().expect("a number") > 0);
        assert!(0 < number("p50_ns") && number("p50_ns") <= number("p99_ns") && number("p99_ns") <= number("max_ns"));
    }
    assert_eq!(Scratch::names(&scratch.directory()), ["precious"], "nothing of it is left");
}

#[test]
fn a_data_directory_can_be_checked_and_stays_as_it_is() {
    let scratch = Scratch::formatted();
    let before = (scratch.bytes("identity"), Scratch::names(&scratch.directory()));
    let answer = scratch.run("disk-check", &["--seconds=1", "--allow-cow", "--no-direct"]);
    for name in CHECKS {
        assert!(answer.out.contains(&name.replace('_', " ")), "no {name} in {}", answer.out);
    }
    assert!(answer.out.contains("the journals are allocated already"), "{}", answer.out);
    assert!(before == (scratch.bytes("identity"), Scratch::names(&scratch.directory())));
}

#[test]
fn memory_is_unfit_and_what_is_no_directory_cannot_be_told() {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        let answer = florin(&["disk-check", "/dev/shm", "--seconds", "1"]);
        answer.assert(1, &["UNFIT for a data directory", "tmpfs", "loses everything at a restart", "not measured"]);
    } else {
        println!("SKIP memory: there is no /dev/shm");
    }
    let scratch = Scratch::new();
    scratch.run("disk-check", &[]).assert(2, &["is no directory"]);
    scratch.run("disk-check", &["--seconds=0"]).assert(2, &["--seconds"]);
}

#[test]
fn one_that_is_interrupted_leaves_nothing_behind() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.directory()).expect("made");
    let mut command = program();
    command.arg("disk-check").arg(scratch.directory()).args(["--seconds", "600", "--allow-cow", "--no-direct"]);
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
    while Scratch::names(&scratch.directory()).is_empty() {
        assert!(process.try_wait().expect("asked").is_none(), "it measures until it is interrupted");
        thread::yield_now();
    }
    let id = Pid::from_raw(i32::try_from(process.id()).expect("a process id"));
    kill(id, Signal::SIGINT).expect("interrupted");
    let output = process.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"), "{output:?}");
    assert!(Scratch::names(&scratch.directory()).is_empty());
}

#[test]
fn every_json_field_and_check_of_it_is_documented() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.directory()).expect("made");
    let (_, document) = document(&scratch);
    let mut fields = Vec::new();
    collect(&document, &mut fields);
    for name in fields.iter().map(String::as_str).chain(CHECKS) {
        assert!(README.contains(&format!("`{name}`")), "{name} is not documented in tools/README.md");
    }
}

fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                into.push(name.clone());
                collect(value, into);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
        _ => {}
    }
}
