use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::Cli;

/// Measurements that stop their server, look at its process or into its directory.
const WITH_OWN_SERVER: [&str; 5] = ["catchup", "mixed", "sustained", "recover", "idle"];
/// Measurements that take one that runs already as well.
const WITH_ANY_SERVER: [&str; 4] = ["capture", "e2e", "fanout", "partitions"];

fn help_of(name: &str) -> String {
    let mut cli = Cli::command();
    cli.find_subcommand_mut(name).unwrap().render_long_help().to_string()
}

fn kind_of_error(name: &str, words: &[&str]) -> Option<ErrorKind> {
    let line = ["florin-bench", name].into_iter().chain(words.iter().copied());
    Cli::try_parse_from(line).err().map(|error| error.kind())
}

#[test]
fn only_measurements_that_can_take_a_running_server_speak_of_one() {
    for name in WITH_OWN_SERVER {
        assert!(!help_of(name).contains("--server "), "{name}");
        assert_eq!(kind_of_error(name, &["--server", "a:1"]), Some(ErrorKind::UnknownArgument), "{name}");
    }
    for name in WITH_ANY_SERVER {
        assert!(help_of(name).contains("--server <HOST:PORT>"), "{name}");
        assert_eq!(kind_of_error(name, &["--server", "a:1", "--data", "."]), None, "{name}");
    }
    for name in WITH_OWN_SERVER.iter().chain(&WITH_ANY_SERVER) {
        assert!(help_of(name).contains("--server-core <N>") && help_of(name).contains("Server and cores:"), "{name}");
    }
}

#[test]
fn how_a_server_is_started_is_no_question_for_one_that_runs() {
    for started in
        [["--server-core", "1"], ["--journal-files", "4"], ["--journal-file-bytes", "1MiB"], ["--setting", "log=warn"]]
    {
        let words = [["--server", "a:1"], started].concat();
        assert_eq!(kind_of_error("capture", &words), Some(ErrorKind::ArgumentConflict), "{started:?}");
        assert_eq!(kind_of_error("capture", &started), None, "{started:?}");
    }
    Cli::command().debug_assert();
}
