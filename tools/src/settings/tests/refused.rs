use super::*;

/// Wrong values of a setting: as text, as TOML, and what a message says of it.
fn wrong_values(setting: &Setting) -> Vec<(String, String, String)> {
    let number = |number: String, problem: String| (number.clone(), number, problem);
    let quoted = |text: &str, problem: &str| (text.to_owned(), format!("\"{text}\""), problem.to_owned());
    match setting.kind {
        Kind::Path { .. } => vec![quoted("", "empty")],
        Kind::Bytes { least, most, step, .. } => {
            let shown = |bytes| crate::size::Size(bytes).to_string();
            let mut wrong = vec![
                number((least - 1).to_string(), format!("less than {}", shown(least))),
                number((most + step).to_string(), format!("more than {}", shown(most))),
                quoted("0B", &format!("less than {}", shown(least))),
                quoted("999999GiB", &format!("more than {}", shown(most))),
                quoted("64MB", "no size"),
                quoted("", "no size"),
            ];
            if step > 1 {
                wrong.push(number((least + 1).to_string(), format!("no multiple of {}", shown(step))));
            }
            wrong
        }
        Kind::Seconds { least, most, .. } | Kind::Count { least, most, .. } | Kind::CountOrAuto { least, most, .. } => {
            let unit = setting.kind.unit();
            let counted = |count, unit: &str| crate::size::counted(count, unit.trim_end_matches('s'), unit);
            vec![
                number((least - 1).to_string(), format!("less than {}", counted(least, unit))),
                number((most + 1).to_string(), format!("more than {most} {unit}")),
                number("-1".to_owned(), format!("less than {}", counted(least, unit))),
                number(u128::MAX.to_string(), "no ".to_owned()),
                ("ten".to_owned(), "\"ten\"".to_owned(), String::new()),
            ]
        }
        Kind::Switch => vec![
            ("yes".to_owned(), "\"yes\"".to_owned(), String::new()),
            ("1".to_owned(), "1".to_owned(), String::new()),
        ],
        Kind::Word { unit, .. } => vec![quoted("a wrong one!", &format!("no {unit}"))],
    }
}

#[test]
fn every_setting_out_of_its_bounds_is_refused_in_every_source_by_name_with_value_and_bounds() {
    let mut refused_count = 0;
    for setting in SETTINGS {
        for (text, toml, problem) in wrong_values(setting) {
            let says = |message: &str, words: &[&str]| {
                for word in words {
                    assert!(message.contains(word), "{}: no {word:?} in {message:?}", setting.key);
                }
            };
            let bounds = if setting.is_argument() { "write a path".to_owned() } else { setting.kind.bounds() };
            // For a count that may be auto, the words are the other way round.
            let bounds = bounds.trim_start_matches("auto, or ");

            let name = setting.variable();
            let given = [(name.as_str(), text.as_str())];
            let error = gather(Sources { variables: &given, ..Sources::default() }).unwrap_err();
            says(&error.to_string(), &[&format!("{name} = \"{text}\" is {problem}"), "write ", bounds]);

            let line = format!("# the second line\n{} = {toml}\n", setting.key);
            let error = gather(Sources { file: &line, ..Sources::default() }).unwrap_err().to_string();
            if toml.len() < 30 {
                says(&error, &[&format!("florin.toml, line 2: {} = {toml} is ", setting.key), "write ", bounds]);
                assert!(toml.contains("0B") || error.contains(&problem) || toml.is_empty(), "{error}");
            }

            let flag = if setting.is_argument() { text.clone() } else { format!("{}={text}", setting.flag()) };
            let error = serve(&[&flag]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let shown_flag = if setting.is_argument() { "DIRECTORY".to_owned() } else { setting.flag() };
            says(&error.to_string(), &[&shown_flag, &text, &problem, "write ", bounds]);
            refused_count += 1;
        }
    }
    assert!(refused_count > SETTINGS.len());
}

#[test]
fn a_wrong_value_is_refused_although_another_source_counts() {
    let file = "drain_seconds = 0\n";
    let error = gather(Sources { flags: &["--drain-seconds=5"], file, ..Sources::default() }).unwrap_err();
    assert!(error.to_string().starts_with("florin.toml, line 1: drain_seconds = 0 is less than 1 second:"), "{error}");
}

#[test]
fn toml_of_another_type_is_named_and_the_right_one_shown() {
    for (line, words) in [
        ("connections = \"12\"", "is text, not a number: write a whole number of connections, 1 to 1000000"),
        ("connections = 1.5", "is no whole number: write"),
        ("connections = 1979-05-27", "is a date or a time: write"),
        ("connections = [1, 2]", "is a list: write"),
        ("log = 3", "is a number: write off, error"),
        ("allow_cow = \"true\"", "is text, not true or false: write true or false"),
        ("connection_bytes = true", "is true or false: write bytes (67108864)"),
        ("cores = \"all\"", "is text, not a number: write a whole number of cores, 1 to 256, or auto"),
        ("[directory]", "directory = {...} is a table: write a path"),
        ("listen.port = 1", "is a table: write an IP address"),
    ] {
        let error = gather(Sources { file: line, ..Sources::default() }).unwrap_err().to_string();
        assert!(error.starts_with("florin.toml, line 1: ") && error.contains(words), "{line}: {error}");
    }
    for (line, bytes) in [("connection_bytes = 0x40_0000", 4 << 20), ("connection_bytes = \"4 mib\"", 4 << 20)] {
        let settings = gather(Sources { file: line, ..Sources::default() }).unwrap();
        assert_eq!(settings.number(&table::CONNECTION_BYTES), bytes);
    }
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_one() {
    for (line, words) in [
        ("connection_byte = 1", "line 2: connection_byte is no setting: did you mean connection_bytes? Correct it"),
        ("connection-bytes = 1", "did you mean connection_bytes?"),
        ("Listen = \"127.0.0.1:1\"", "did you mean listen?"),
        ("colour = \"blue\"", "line 2: colour is no setting: remove the line; `florin serve --print-config` lists"),
        ("[server]\nlisten = \"127.0.0.1:1\"", "line 2: server is no setting: settings stand in no table"),
        ("stop_with_stdin = true", "it is the flag --stop-with-stdin"),
        ("config = \"other.toml\"", "--config or FLORIN_CONFIG"),
    ] {
        let file = format!("connections = 5\n{line}\n");
        let error = gather(Sources { file: &file, ..Sources::default() }).unwrap_err().to_string();
        assert!(error.starts_with("florin.toml, ") && error.contains(words), "{line}: {error}");
    }
    for (name, words) in [
        (
            "FLORIN_CONECTIONS",
            "FLORIN_CONECTIONS is no setting: did you mean FLORIN_CONNECTIONS? Correct it, or unset it",
        ),
        ("FLORIN_XYZ", "FLORIN_XYZ is no setting: unset it"),
        ("FLORIN_STOP_WITH_STDIN", "it is the flag --stop-with-stdin"),
    ] {
        let error = gather(Sources { variables: &[(name, "1")], ..Sources::default() }).unwrap_err().to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
    let error = serve(&["--conections=5"]).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("--connections"), "{error}");
}

#[test]
fn variables_of_others_are_let_be() {
    let names = ["FLORIN_SERVER", "FLORIN_SERVICE_HOST", "FLORIN_SERVICE_PORT_CAPTURE", "FLORIN_PORT"];
    let more = ["FLORIN_PORT_7878_TCP_ADDR", "FLORIN_HTTP_PORT_7879_TCP", "FLORID_LISTEN", "HOME"];
    let given: Vec<_> = names.into_iter().chain(more).map(|name| (name, "tcp://10.0.0.1:7878")).collect();
    gather(Sources { variables: &given, ..Sources::default() }).unwrap();
    for setting in SETTINGS {
        let name = setting.variable();
        let error = gather(Sources { variables: &[(&name, "")], ..Sources::default() });
        assert!(error.is_err() || setting.key == "advertise", "{name} is looked at");
    }
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_the_line() {
    for (text, line) in
        [("connections = 5\nlisten 127.0.0.1:1\n", 2), ("cores = 1\ncores = 2\n", 2), ("log = \"info\n", 1)]
    {
        let error = gather(Sources { file: text, ..Sources::default() }).unwrap_err().to_string();
        assert!(error.starts_with(&format!("florin.toml, line {line}: ")), "{text:?}: {error}");
        assert!(error.contains("write TOML") && !error.contains('\n'), "{error}");
    }
}

#[test]
fn a_file_that_was_named_and_cannot_be_read_is_an_error_that_says_who_named_it() {
    let nothing = AllGiven::new();
    let absent = Path::new("/nonexistent/florin.toml");
    let by_flag = Settings::gather(&nothing, Some(absent), &Environment::default()).unwrap_err().to_string();
    assert!(by_flag.contains("/nonexistent/florin.toml, which --config names"), "{by_flag}");
    assert!(by_flag.contains("--print-config > florin.toml"), "{by_flag}");
    let named = |path: &str| Settings::gather(&nothing, None, &variables(&[("FLORIN_CONFIG", path)]));
    let by_variable = named("/nonexistent/florin.toml").unwrap_err().to_string();
    assert!(by_variable.contains("which FLORIN_CONFIG names"), "{by_variable}");
    assert!(named("").unwrap_err().to_string().contains("the name is empty"));
    assert!(named("/proc/self").unwrap_err().to_string().contains("/proc/self"), "a directory");
    assert!(named("/dev/zero").unwrap_err().to_string().contains("more than 1 MiB"), "without an end");
}

#[test]
fn settings_that_do_not_go_together_are_named_both_with_their_values_and_sources() {
    let sources = Sources { flags: &["--executor-bytes=4MiB"], ..Sources::default() };
    let error = gather(sources).unwrap_err().to_string();
    let expected = "executor_bytes = 4MiB (--executor-bytes) is less than connection_bytes = 8MiB (the default): raise";
    assert!(error.starts_with(expected), "{error}");
    let sources = Sources { file: "connection_bytes = \"4MiB\"", ..sources };
    gather(sources).unwrap();
    let variables = [("FLORIN_CONNECTION_BYTES", "512MiB")];
    let error = gather(Sources { variables: &variables, ..Sources::default() }).unwrap_err().to_string();
    assert!(error.contains("256MiB (the default)") && error.contains("512MiB (FLORIN_CONNECTION_BYTES)"), "{error}");
}
