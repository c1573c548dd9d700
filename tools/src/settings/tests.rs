//! The table, the sources and their order, and what is printed.

mod refused;
mod words;

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;
use florin_engine::format::layout::Geometry;
use florin_engine::limits::CACHED_BYTES_DEFAULT;
use florin_net::limits::{ADVERTISE_BYTES_MAX, DRAIN_NS_MAX, FRAME_NS_MAX, IDLE_NS_MAX, PATIENCE_NS_MIN, SEND_NS_MAX};
use florin_net::server::ServerSettings;

use super::environment::Environment;
use super::kind::{Kind, Value};
use super::table::{self, NANOSECONDS_PER_SECOND, SETTINGS, Scope, Setting};
use super::{AllGiven, Given, Settings, SettingsError, Source, file, print, relations};
use crate::cli::{Cli, Command, ServeArguments};

const README: &str = include_str!("../../README.md");
const FILE: &str = "florin.toml";

/// What each source says, for tests.
#[derive(Clone, Copy, Default)]
struct Sources<'a> {
    flags: &'a [&'a str],
    variables: &'a [(&'a str, &'a str)],
    file: &'a str,
}

fn serve(flags: &[&str]) -> Result<ServeArguments, clap::Error> {
    let words = ["florin", "serve"].into_iter().chain(flags.iter().copied());
    match Cli::try_parse_from(words)?.command {
        Command::Serve(arguments) => Ok(arguments),
        other => panic!("{other:?}"),
    }
}

fn variables(variables: &[(&str, &str)]) -> Environment {
    Environment::of(variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
}

/// As [`Settings::gather`] does, with a file that is in memory.
fn gather(sources: Sources<'_>) -> Result<Settings, SettingsError> {
    let flags = serve(sources.flags).unwrap_or_else(|error| panic!("{error}"));
    let variables = variables(sources.variables).given()?;
    let file = file::parse(sources.file, Path::new(FILE))?;
    let settings = Settings::with([file, variables, flags.settings.given().clone()]);
    relations::check(&settings)?;
    Ok(settings)
}

fn values(settings: &Settings) -> Vec<(&'static str, Value)> {
    settings.in_force.iter().map(|(key, given)| (*key, given.value.clone())).collect()
}

/// A value within the bounds that is not the default.
fn other_value(setting: &Setting) -> Value {
    match setting.kind {
        // No less than what one connection may have, and what a journal holds.
        Kind::Bytes { most, .. } if matches!(setting.key, "executor_bytes" | "memory_bytes") => Value::Number(most),
        Kind::Path { .. } => Value::Path("/srv/a \"quoted\" path".into()),
        Kind::Bytes { least, .. } | Kind::Count { least, .. } | Kind::Seconds { least, .. }
            if Value::Number(least) != setting.kind.default() =>
        {
            Value::Number(least)
        }
        Kind::Bytes { most, .. } | Kind::Count { most, .. } | Kind::Seconds { most, .. } => Value::Number(most),
        Kind::CountOrAuto { most, .. } => Value::Number(most),
        Kind::Switch => Value::Switch(true),
        Kind::Word { .. } => Value::Word(
            match setting.key {
                "listen" => "[::1]:0",
                "advertise" => "payments.example",
                "http" => "off",
                "expect_id" => "000102030405060708090a0b0c0d0e0f",
                "log" => "warn,florin_net=debug",
                other => panic!("{other} is new: give it a value here"),
            }
            .to_owned(),
        ),
    }
}

/// The value as a flag, a variable and a line of a file.
fn spelled(setting: &Setting, value: &Value) -> (String, String, String) {
    let text = setting.kind.show(value);
    let flag = if setting.is_argument() { text.clone() } else { format!("{}={text}", setting.flag()) };
    (flag, text, format!("{} = {}\n", setting.key, setting.kind.toml(value).unwrap()))
}

/// One value from each of the sources whose bits are set: file 1, environment 2, flag 4.
fn from_sources(mask: usize, setting: &Setting, values: [&Value; 3]) -> Settings {
    let [(_, _, line), (_, text, _), (flag, _, _)] = values.map(|value| spelled(setting, value));
    let name = setting.variable();
    let (flags, variables) = ([flag.as_str()], [(name.as_str(), text.as_str())]);
    let sources = Sources {
        file: if mask & 1 == 0 { "" } else { &line },
        variables: if mask & 2 == 0 { &[] } else { &variables },
        flags: if mask & 4 == 0 { &[] } else { &flags },
    };
    gather(sources).unwrap_or_else(|error| panic!("{}: {error}", setting.key))
}

#[test]
fn a_flag_counts_before_a_variable_before_the_file_before_the_default() {
    let number = &table::DRAIN_SECONDS;
    let values = [1, 2, 3].map(Value::Number);
    for (mask, expected) in [30, 1, 2, 2, 3, 3, 3, 3].into_iter().enumerate() {
        let settings = from_sources(mask, number, [&values[0], &values[1], &values[2]]);
        assert_eq!(settings.number(number), expected, "{mask:03b}");
    }
}

#[test]
fn every_setting_is_taken_from_every_source_in_this_order() {
    let file = || Source::File { path: FILE.into(), line: 1 };
    for setting in SETTINGS {
        let value = other_value(setting);
        for mask in 0..8 {
            let settings = from_sources(mask, setting, [&value; 3]);
            let expected = match mask {
                0 => (setting.kind.default(), Source::Default),
                1 => (value.clone(), file()),
                2 | 3 => (value.clone(), Source::Environment),
                _ => (value.clone(), Source::Flag),
            };
            let Given { value, source } = settings.given(setting).clone();
            assert_eq!((value, source), expected, "{} from {mask:03b}", setting.key);
        }
    }
}

#[test]
fn what_one_source_turns_on_another_one_can_turn_off() {
    let file = "allow_cow = true\nno_direct = true\ncores = 3\n";
    let settings =
        gather(Sources { flags: &["--no-direct=false", "--cores=auto"], file, ..Sources::default() }).unwrap();
    assert!(settings.switch(&table::ALLOW_COW) && !settings.switch(&table::NO_DIRECT));
    assert_eq!(settings.number_or_auto(&table::CORES), None);
    let settings = gather(Sources { flags: &["--no-direct"], ..Sources::default() }).unwrap();
    assert!(settings.switch(&table::NO_DIRECT));
}

#[test]
fn what_is_printed_gives_the_same_settings_as_a_file() {
    let mut flags = Vec::new();
    for setting in SETTINGS {
        flags.push(spelled(setting, &other_value(setting)).0);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    for flags in [&flags[..], &[]] {
        let settings = gather(Sources { flags, ..Sources::default() }).unwrap();
        let printed = settings.to_toml().unwrap();
        let again = gather(Sources { file: &printed, ..Sources::default() }).unwrap();
        assert_eq!(values(&again), values(&settings), "{printed}");
        assert!(again.in_force.values().all(|given| matches!(given.source, Source::File { .. })));
    }
}

#[test]
fn each_printed_setting_says_what_it_is_its_unit_its_bounds_and_its_source() {
    let file = "# ours\nconnection_bytes = 4194304\n";
    let variables = [("FLORIN_IDLE_SECONDS", "60")];
    let settings = gather(Sources { flags: &["--allow-cow"], variables: &variables, file }).unwrap();
    let printed = settings.to_toml().unwrap();
    for (line, above) in [
        ("connection_bytes = \"4MiB\"", "bytes; 2MiB to 1GiB; default 8MiB. This value: from florin.toml, line 2."),
        ("idle_seconds = 60", "seconds; 1 to 604800; default 600. This value: from FLORIN_IDLE_SECONDS."),
        ("allow_cow = true", "switch; true or false; default false. This value: from --allow-cow."),
        ("connections = 1024", "connections; 1 to 1000000; default 1024. This value: from the default."),
        ("cores = \"auto\"", "cores; auto, or 1 to 256; default auto. This value: from the default."),
    ] {
        assert!(printed.contains(&format!("# Unit: {above}\n{line}\n")), "no {line:?} below {above:?} in {printed}");
    }
    for setting in SETTINGS {
        assert!(printed.contains(&format!("\n# {}", setting.meaning)), "{}", setting.key);
    }
    assert!(printed.lines().all(|line| !line.ends_with(' ')));
}

#[test]
fn a_path_that_is_no_text_is_not_printed() {
    use std::os::unix::ffi::OsStringExt;
    let path = OsString::from_vec(vec![b'd', 0xff]);
    let environment = Environment::of([(OsString::from("FLORIN_DIRECTORY"), path.clone())]);
    let settings = Settings::gather(&AllGiven::new(), None, &environment).unwrap();
    assert_eq!(settings.directory(), Path::new(&path), "it can be served all the same");
    let error = settings.to_toml().unwrap_err().to_string();
    assert!(error.contains("directory") && error.contains("FLORIN_DIRECTORY"), "{error}");
}

#[test]
fn defaults_are_those_of_the_server_and_within_their_bounds() {
    for setting in SETTINGS {
        let (kind, default) = (setting.kind, setting.kind.default());
        let toml = format!("{} = {}", setting.key, kind.toml(&default).unwrap());
        assert_eq!(file::parse(&toml, Path::new(FILE)).unwrap()[setting.key].value, default);
    }
    let settings = gather(Sources::default()).unwrap();
    let (ours, theirs) = (settings.for_server().unwrap(), ServerSettings::new("florin-data".into()));
    let http = Some("127.0.0.1:7877".parse().unwrap());
    let memory_bytes = Some(Geometry::default().ring_bytes() + CACHED_BYTES_DEFAULT);
    assert_eq!(format!("{ours:?}"), format!("{:?}", ServerSettings { http, memory_bytes, ..theirs }));
    let directory = settings.for_directory().unwrap();
    assert_eq!((directory.geometry, directory.expect_id), (Geometry::default(), None));
}

#[test]
fn bounds_are_whole_and_fit_what_they_bound() {
    for ns in [PATIENCE_NS_MIN, IDLE_NS_MAX, FRAME_NS_MAX, SEND_NS_MAX, DRAIN_NS_MAX] {
        assert_eq!(ns % NANOSECONDS_PER_SECOND, 0);
    }
    let Kind::Word { form, .. } = table::ADVERTISE.kind else { panic!() };
    assert!(form.contains(&format!("{ADVERTISE_BYTES_MAX} bytes")));
}

#[test]
fn keys_end_in_their_unit_and_each_is_there_once() {
    let mut keys: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), SETTINGS.len());
    for setting in SETTINGS {
        let is_bytes = matches!(setting.kind, Kind::Bytes { .. });
        let is_seconds = matches!(setting.kind, Kind::Seconds { .. });
        assert_eq!((setting.key.ends_with("_bytes"), setting.key.ends_with("_seconds")), (is_bytes, is_seconds));
        assert!(setting.key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", setting.key);
        assert!(setting.meaning.ends_with('.') && !setting.meaning.contains('|'), "{}", setting.key);
    }
}

/// The reference in the page, from the table.
fn reference() -> String {
    let row = |setting: &&Setting| {
        let (unit, bounds) = (setting.kind.unit(), setting.kind.bounds());
        let default = setting.kind.show(&setting.kind.default());
        format!("| `{}` | {unit} | {default} | {bounds} | {} |\n", setting.key, print::meaning(setting))
    };
    let head = "| setting | unit | default | bounds | what it is |\n| --- | --- | --- | --- | --- |\n";
    head.to_owned() + &SETTINGS.iter().map(row).collect::<String>()
}

#[test]
fn the_reference_in_the_page_is_the_table() {
    let reference = reference();
    assert!(README.contains(&format!("\n{reference}\n")), "tools/README.md needs this table:\n{reference}");
}

#[test]
fn format_has_exactly_the_settings_of_directories() {
    let words = ["florin", "format", "data", "--shards=3", "--no-direct", "--manifest-bytes=64KiB"];
    let Command::Format(arguments) = Cli::try_parse_from(words).unwrap().command else { panic!() };
    let settings = arguments.settings.in_force().for_directory().unwrap();
    assert_eq!((settings.shard_count, settings.geometry.manifest_bytes), (3, 64 << 10));
    for setting in SETTINGS.iter().filter(|setting| !setting.is_argument()) {
        let flag = format!("{}={}", setting.flag(), setting.kind.show(&other_value(setting)));
        let is_taken = Cli::try_parse_from(["florin", "format", "data", &flag]).is_ok();
        assert_eq!(is_taken, setting.scope != Scope::Server, "{flag}");
    }
}
