//! Settings of a real server: from where they are taken, what is refused, and what is printed.
#![allow(clippy::disallowed_methods, reason = "tests write settings files")]

use std::fs;

use crate::live_server::LiveServer;
use crate::scratch::{Answer, Scratch, answer, florin, program};

/// `serve` with a settings file, variables and flags; only for what ends by itself.
fn serve(scratch: &Scratch, file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Answer {
    let path = scratch.directory().with_file_name("florin.toml");
    fs::write(&path, file).expect("written");
    let mut command = program();
    command.arg("serve").arg("--config").arg(path).args(flags).envs(variables.iter().copied());
    answer(&mut command)
}

/// The value of a printed setting.
fn value<'a>(printed: &'a str, key: &str) -> &'a str {
    let line = printed.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    line.unwrap_or_else(|| panic!("no {key} in {printed}"))
}

#[test]
fn a_server_starts_from_a_file_and_a_variable_and_a_flag_count_before_it() {
    let Some(server) = LiveServer::start_with(|scratch, command| {
        let path = scratch.directory().with_file_name("florin.toml");
        let file = format!(
            "directory = \"{}\"\nlisten = \"127.0.0.1:0\"\nhttp = \"off\"\nlog = \"error\"\nadvertise = \"127.0.0.1\"\n\
             shards = 3\njournal_files = 3\njournal_file_bytes = \"4MiB\"\nmanifest_bytes = 1_048_576\n\
             allow_cow = true\nno_direct = true\nblocks_in_flight = 2\nexecutor_bytes = \"16MiB\"\n",
            scratch.directory().display()
        );
        fs::write(&path, file).expect("written");
        command.env("FLORIN_CONFIG", path).env("FLORIN_SHARDS", "2").env("FLORIN_LOG", "warn");
        command.args(["--log", "info", "--cores", "1"]);
    }) else {
        return;
    };
    assert!(server.address().starts_with("127.0.0.1:"));
    let shards = server.run(&["shard", "list", "--json"]).json();
    assert_eq!(shards["shards"].as_array().expect("shards").len(), 2, "the variable counts");
    assert!(server.log().contains("formatted a new data directory"), "the flag counts: {}", server.log());
    server.run(&["topic", "create", "payments"]).assert(0, &[]);
    server.run_with_input(&["produce", "payments"], b"one\n").assert(0, &["1 record"]);
    server.run(&["consume", "payments"]).assert(0, &["one"]);
    server.stop();
}

#[test]
fn printing_the_settings_touches_no_directory_and_what_is_printed_can_be_used() {
    let scratch = Scratch::new();
    let file = "connection_bytes = 4194304\n";
    let directory = scratch.directory();
    let flags = ["--print-config", directory.to_str().expect("a plain path"), "--http=off"];
    let first = serve(&scratch, file, &[("FLORIN_DRAIN_SECONDS", "7")], &flags);
    first.assert(0, &["from FLORIN_DRAIN_SECONDS.", "florin.toml, line 1.", "from --http.", "from the default."]);
    assert_eq!(first.err, "");
    assert!(!directory.exists());
    for (key, expected) in [("drain_seconds", "7"), ("connection_bytes", "\"4MiB\""), ("http", "\"off\"")] {
        assert_eq!(value(&first.out, key), expected);
    }
    let again = serve(&scratch, &first.out, &[], &["--print-config"]);
    again.assert(0, &[]);
    let settings = |printed: &str| -> Vec<String> {
        printed.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
    };
    assert_eq!(settings(&again.out), settings(&first.out));
    assert_eq!(settings(&first.out).len(), 25);
}

#[test]
fn a_wrong_setting_ends_the_start_before_anything_is_made() {
    let scratch = Scratch::new();
    let directory = scratch.directory().display().to_string();
    let refused = |file: &str, variables: &[(&str, &str)], flags: &[&str], code, words: &[&str]| {
        let flags: Vec<&str> = flags.iter().copied().chain([directory.as_str()]).collect();
        let answer = serve(&scratch, file, variables, &flags);
        answer.assert(code, words);
        assert_eq!(answer.out, "");
        assert!(!scratch.directory().exists());
    };
    let line = "connections = 5\nidle_seconds = 0\n";
    refused(line, &[], &[], 1, &["florin: ", "florin.toml, line 2: idle_seconds = 0 is less than 1 second: write"]);
    refused("idle_second = 9", &[], &[], 1, &["line 1: idle_second is no setting: did you mean idle_seconds?"]);
    let variable = ("FLORIN_IDLE_SECONDS", "never");
    refused("", &[variable], &[], 1, &["FLORIN_IDLE_SECONDS = \"never\" is no whole number: write", "1 to 604800"]);
    refused("", &[("FLORIN_IDLE", "9")], &[], 1, &["FLORIN_IDLE is no setting: did you mean FLORIN_IDLE_SECONDS?"]);
    refused("", &[], &["--idle-seconds=0"], 2, &["--idle-seconds <SECONDS>", "'0'", "less than 1 second: write"]);
    refused(
        "",
        &[],
        &["--print-config", "--executor-bytes=4MiB"],
        1,
        &["executor_bytes = 4MiB", "connection_bytes = 8MiB"],
    );
    refused("", &[("FLORIN_LOG", "debg")], &[], 1, &["FLORIN_LOG = \"debg\" is no FILTER: write off, error, warn"]);
}

#[test]
fn a_settings_file_that_was_named_must_be_there() {
    let said = ["florin: ", "/nonexistent.toml, which --config names, cannot be read", "--print-config > florin.toml"];
    florin(&["serve", "--config", "/nonexistent.toml"]).assert(1, &said);
    let absent = answer(program().arg("serve").env("FLORIN_CONFIG", "/nonexistent.toml"));
    absent.assert(1, &["/nonexistent.toml, which FLORIN_CONFIG names, cannot be read"]);
}

#[test]
fn help_lists_every_setting_with_default_and_bounds() {
    let help = florin(&["serve", "--help"]);
    help.assert(
        0,
        &["--executor-bytes <SIZE>", "[default: 256MiB] [4MiB to 64GiB]", "--config <PATH>", "--print-config"],
    );
    help.assert(0, &["[DIRECTORY]", "--blocks-in-flight <N>", "FLORIN_CONNECTION_BYTES", "--stop-with-stdin"]);
}
