//! What the commands that ask a server do without one.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use crate::scratch::{Scratch, florin, program};

/// An address at which nothing listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}

#[test]
fn without_a_server_every_command_says_so_and_what_to_do() {
    let address = closed_port();
    let scratch = Scratch::new();
    let lines = scratch.directory().with_file_name("lines");
    fs::copy("/proc/self/status", &lines).expect("copied");
    let lines = lines.to_str().expect("a plain path");
    let commands: [&[&str]; 13] = [
        &["topic", "list"],
        &["topic", "create", "payments"],
        &["topic", "alter", "payments", "--partitions", "2"],
        &["topic", "describe", "payments"],
        &["topic", "delete", "payments", "--yes"],
        &["shard", "list"],
        &["clock", "confirm"],
        &["txn", "list"],
        &["txn", "abort", "writer"],
        &["group", "offsets", "ledger"],
        &["group", "forget", "ledger"],
        &["produce", "payments", lines],
        &["consume", "payments"],
    ];
    // All at once: each is a process of its own.
    let start = |command: &&[&str]| {
        let mut program = program();
        program.args(*command).args(["--server", &address]).stdout(Stdio::piped()).stderr(Stdio::piped());
        program.spawn().expect("the program runs")
    };
    let running: Vec<_> = commands.iter().map(start).collect();
    for (command, process) in commands.iter().zip(running) {
        let output = process.wait_with_output().expect("it ends");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{command:?}: {said}");
        let cannot = format!("florin: the server at {address} cannot be asked: ");
        for words in [&cannot, "refused", "`florin serve`", "FLORIN_SERVER"] {
            assert!(said.contains(words), "{command:?}: no {words:?} in {said}");
        }
    }
}

#[test]
fn a_key_that_no_server_can_be_asked_for_cannot_be_told() {
    let address = closed_port();
    florin(&["key", "get", "payments", "a", "--server", &address]).assert(2, &["cannot be asked", &address]);
}

#[test]
fn the_server_is_found_in_the_environment() {
    let address = closed_port();
    let mut command = program();
    let output = command.args(["topic", "list"]).env("FLORIN_SERVER", &address).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address));
}

#[test]
fn wrong_arguments_are_refused_before_a_server_is_asked() {
    let wrong: [(&[&str], &str); 27] = [
        (&["topic", "create", ""], "a value is required"),
        (&["consume", ""], "a value is required"),
        (&["topic", "create", "payments", "--partitions", "0"], "a number from 1 to 4096"),
        (&["topic", "create", "payments", "--partitions", "4097"], "a number from 1 to 4096"),
        (&["topic", "create", "payments", "--retention", "7"], "such as 5ms, or forever"),
        (&["topic", "create", "payments", "--retention", "0s"], "keeping nothing is not possible"),
        (&["topic", "create", "payments", "--retention-bytes", "0"], "keeping nothing is not possible"),
        (&["topic", "alter", "payments", "--segment-bytes", "1KiB"], "a size from 64KiB to 4GiB"),
        (&["topic", "alter", "payments", "--record-bytes-max", "2MiB"], "a size from 64B to 1MiB"),
        (&["topic", "alter", "payments", "--partitions", "0"], "a number from 1 to 4096"),
        (&["topic", "alter", "payments"], "nothing was altered: say what"),
        (&["topic", "create", "payments", "--idempotency-key", "card"], "write record-key, or header:NAME"),
        (&["topic", "create", "payments", "--idempotency-key", "header:"], "write record-key, or header:NAME"),
        (&["topic", "create", "payments", "--idempotency-days", "9"], "--idempotency-key"),
        (
            &["topic", "create", "payments", "--idempotency-key", "record-key", "--idempotency-days", "401"],
            "a number of days from 1 to 400",
        ),
        (
            &["topic", "create", "payments", "--idempotency-key", "header:a", "--idempotency-body-header", "a"],
            "body header 0 is named before",
        ),
        (&["topic", "list", "--server", "nowhere"], "write HOST:PORT, such as 127.0.0.1:7878"),
        (&["topic", "list", "--server", "::1:7878"], "[::1]:7878"),
        (&["topic", "list", "--server", "localhost:0"], "write HOST:PORT"),
        (&["clock", "confirm", "--shard", "all"], "--shard"),
        (&["produce", "payments", "--delimiter", ","], "--key-column"),
        (&["produce", "payments", "--key-column", "0"], "columns are counted from 1"),
        (&["produce", "payments", "--key-column", "1", "--delimiter", "ab"], "one ASCII character"),
        (&["produce", "payments", "--linger", "5"], "such as 5ms"),
        (&["consume", "payments", "--from", "yesterday"], "such as -10m"),
        (&["consume", "payments", "--from", "5"], "exactly one with --partition"),
        (&["consume", "payments", "--to-end", "--follow"], "cannot be used with"),
    ];
    for (arguments, words) in wrong {
        florin(arguments).assert(2, &[words]);
    }
}

#[test]
fn a_topic_is_not_deleted_without_being_asked_for() {
    let mut command = program();
    command.args(["topic", "delete", "payments", "--server", &closed_port()]).stdin(Stdio::null());
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("nothing was deleted") && said.contains("--yes"), "{said}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    florin(&["produce", "payments", "/nonexistent/lines"]).assert(1, &["/nonexistent/lines cannot be read"]);
}

#[test]
fn help_has_examples_and_exit_codes() {
    florin(&["--help"]).assert(0, &["florin demo", "produce", "consume", "topic", "txn", "group", "shard", "clock"]);
    florin(&["produce", "--help"]).assert(0, &["OUTCOME UNKNOWN", "key_base64", "Exit codes", "--key-column 1"]);
    florin(&["consume", "--help"]).assert(0, &["Exit codes", "--from -10m", "@1767323045", "FLORIN_SERVER"]);
    florin(&["serve", "--help"]).assert(0, &["[default: 127.0.0.1:7878]", "[default: 127.0.0.1:7877]", "FLORIN_LOG"]);
    florin(&["topic", "--help"]).assert(0, &["create", "alter", "list", "describe", "delete"]);
    florin(&["topic", "create", "--help"]).assert(0, &["--idempotency-key header:payment-id", "[default: 30]"]);
    florin(&["key", "get", "--help"]).assert(0, &["Exit code 0: it is stored", "--base64"]);
    florin(&["topic", "alter", "--help"]).assert(0, &["breaks the order of keys", "--retention forever"]);
    florin(&["topic", "delete", "--help"]).assert(0, &["typed once more", "--yes"]);
    florin(&["clock", "confirm", "--help"]).assert(0, &["jumped by more than an hour"]);
    florin(&["demo", "--help"]).assert(0, &["--keep", "--payments", "Exit code 0"]);
}
