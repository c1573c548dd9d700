use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Server, ServerSettings, command, first_line, parse_ready_line, program_beside};

const READY: &str = r#"{"ready":true,"address":"127.0.0.1:40123","ports":[40123],"http":null,"directory_id":"0a1b"}"#;

#[test]
fn a_ready_line_gives_the_address() {
    assert_eq!(parse_ready_line(READY).unwrap().address, "127.0.0.1:40123");
    assert_eq!(parse_ready_line(&format!("{READY}\n")).unwrap().address, "127.0.0.1:40123");
}

#[test]
fn a_line_that_is_no_readiness_is_shown_in_the_error() {
    let error = |line: &str| format!("{:#}", parse_ready_line(line).unwrap_err());
    assert!(error("listening on port 7").contains("listening on port 7"));
    assert!(error(r#"{"ready":false,"address":"127.0.0.1:1"}"#).contains("not ready"));
    assert!(error(r#"{"ready":true,"address":""}"#).contains("no address"));
    assert!(error("\n").contains("said nothing"));
}

#[test]
fn a_missing_server_is_to_be_built() {
    let home = tempfile::tempdir().unwrap();
    let own = home.path().join("florin-bench");
    assert!(program_beside(&own).unwrap_err().to_string().contains("cargo build --release"));
    std::fs::write(home.path().join("florin"), b"").unwrap();
    assert_eq!(program_beside(&own).unwrap(), home.path().join("florin"));
}

#[test]
fn the_first_line_is_taken_and_silence_is_not_waited_for_forever() {
    let stdout_of = |script: &str| {
        let mut command = Command::new("sh");
        let mut child = command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        (child, stdout)
    };
    let (mut child, stdout) = stdout_of("echo one; echo two");
    assert_eq!(first_line(stdout, Duration::from_secs(30)).unwrap(), "one\n");
    child.wait().unwrap();
    // It ends with its input, like a server.
    let (mut child, stdout) = stdout_of("read line");
    assert!(first_line(stdout, Duration::from_millis(10)).unwrap_err().to_string().contains("said nothing"));
    drop(child.stdin.take());
    child.wait().unwrap();
}

fn server_of(script: &str) -> anyhow::Result<Server> {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Server::start_command(command, None)
}

#[test]
fn a_server_is_ready_with_its_line_and_stops_with_its_input() {
    let server = server_of(&format!("echo '{READY}'; read line; exit 0")).unwrap();
    assert_eq!(server.address(), "127.0.0.1:40123");
    assert!(server.process() > 0);
    server.stop().unwrap();
}

#[test]
fn a_server_that_fails_is_reported_with_its_status() {
    let error = format!("{:#}", server_of("exit 3").unwrap_err());
    assert!(error.contains("3") && error.contains("before it was ready"), "{error}");
    let server = server_of(&format!("echo '{READY}'; read line; exit 4")).unwrap();
    assert!(server.stop().unwrap_err().to_string().contains('4'));
}

#[test]
fn a_server_of_our_own_listens_on_this_machine_only_and_ends_with_us() {
    let expected = "serve data --listen 127.0.0.1:0 --http off --stop-with-stdin --shards 2 --journal-files 8 \
                    --journal-file-bytes 268435456 --memory-bytes 2214592512 --connections 8192 --log=debug";
    assert_eq!(arguments_with(&["log=debug"]), expected);
}

#[test]
fn memory_above_the_ring_and_many_connections_are_allowed_unless_they_are_set() {
    let ring_bytes: u64 = 8 * (256 << 20);
    let own = format!("--memory-bytes {}", ring_bytes + (64 << 20));
    assert!(arguments_with(&[]).contains(&own));
    let set = arguments_with(&["memory-bytes=4GiB"]);
    assert!(set.ends_with("--journal-file-bytes 268435456 --connections 8192 --memory-bytes=4GiB"), "{set}");
    let set = arguments_with(&["connections=3"]);
    assert!(set.ends_with("--connections=3") && !set.contains("8192"), "{set}");
    // Another setting that begins alike is another one.
    assert!(arguments_with(&["memory-bytes-of-somebody=1"]).contains(&own));
}

/// What a server is started with.
fn arguments_with(settings: &[&str]) -> String {
    let settings = ServerSettings {
        directory: PathBuf::from("data"),
        shards: 2,
        journal_files: 8,
        journal_file_bytes: 256 << 20,
        core: None,
        settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
    };
    let command = command(Path::new("florin"), &settings);
    let arguments: Vec<&str> = command.get_args().map(|argument| argument.to_str().unwrap()).collect();
    arguments.join(" ")
}

#[test]
fn a_server_that_is_killed_is_gone_at_once() {
    let server = server_of(&format!("echo '{READY}'; while true; do sleep 1; done")).unwrap();
    let process = server.process();
    server.kill().unwrap();
    assert!(!Path::new(&format!("/proc/{process}")).exists());
}
