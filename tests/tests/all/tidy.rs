//! The shape of the tree: layers, bans, the file map, and pages that name only what exists.

use std::collections::BTreeSet;

use crate::tree::{SourceFile, Table, code, files, is_unit_test, quoted, read, root, tables};

const ENGINE: &str = "engine/src/";
const ARCHITECTURE: &str = "engine/docs/ARCHITECTURE.md";
const LINE_COUNT_MAX: usize = 450;

/// The modules of each layer; a file may name modules of its own layer and of those before.
const LAYERS: [&[&str]; 6] = [
    &["limits", "marks", "model"],
    &["format", "io"],
    &["catalogue", "group", "key", "producer", "transaction"],
    &["journal", "segment", "key_run", "checkpoint"],
    &["partition"],
    &["shard"],
];
/// What may be named from a layer above all the same, and where.
const LAYER_EXCEPTIONS: [(&str, &str); 0] = [];
/// Files of layers with state that are jobs.
const JOBS: [&str; 28] = [
    "journal/create.rs",
    "journal/scan.rs",
    "journal/recovery.rs",
    "journal/write.rs",
    "segment/write.rs",
    "segment/read.rs",
    "segment/index.rs",
    "segment/merge.rs",
    "segment/remove.rs",
    "segment/salvage.rs",
    "key_run/write.rs",
    "key_run/look_up.rs",
    "key_run/merge.rs",
    "key_run/check.rs",
    "checkpoint/slot.rs",
    "shard/directory.rs",
    "shard/open.rs",
    "shard/open/files.rs",
    "shard/open/recovered.rs",
    "shard/driver.rs",
    "shard/driver/keys.rs",
    "shard/rest.rs",
    "shard/repair.rs",
    "shard/repair/runs.rs",
    "shard/repair/keys.rs",
    "shard/repair/import.rs",
    "shard/repair/files.rs",
    "shard/repair/carry_out.rs",
];
/// What state may name of `io`: values that events carry.
const IO_VALUES: [&str; 3] = ["UNIT_BYTES", "DiskError", "DiskErrorKind"];
/// Files that may contain `unsafe`.
const UNSAFE_FILES: [&str; 1] = ["engine/src/io/glommio/probe.rs"];
/// Traits of the engine that tests may implement: what lies below the seam, and where answers go.
const REPLACEABLE: [&str; 5] = ["Disk", "DiskFile", "Buffer", "Runtime", "Outlet"];
const PAGES: [&str; 12] = [
    "README.md",
    "BENCHMARKS.md",
    ARCHITECTURE,
    "engine/docs/DATA_FILE.md",
    "engine/docs/DURABILITY.md",
    "engine/docs/EXACTLY_ONCE.md",
    "engine/docs/GLOSSARY.md",
    "net/docs/ARCHITECTURE.md",
    "net/docs/PROTOCOL.md",
    "tools/README.md",
    "tools/data/README.md",
    "bench/README.md",
];

/// The engine's files without unit tests, by their path in `engine/src`.
fn engine_files() -> Vec<SourceFile> {
    let all = files("engine/src", "rs").into_iter().filter(|file| !is_unit_test(&file.path));
    all.map(|file| SourceFile { path: file.path[ENGINE.len()..].to_owned(), text: file.text }).collect()
}

/// All source files of the workspace.
fn all_files() -> Vec<SourceFile> {
    ["engine", "net", "tools", "tests", "bench"].iter().flat_map(|folder| files(folder, "rs")).collect()
}

/// The module at the top of a file of the engine.
pub fn module_of(path: &str) -> &str {
    path.split(['/', '.']).next().expect("a path has a first part")
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The paths that a source names behind `crate::`.
pub fn crate_paths(source: &str) -> Vec<&str> {
    let is_path = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    let paths = source.match_indices("crate::").filter(|(at, _)| !source[..*at].ends_with(is_path));
    paths
        .map(|(at, found)| {
            let rest = &source[at + found.len()..];
            &rest[..rest.find(|character| !is_path(character)).unwrap_or(rest.len())]
        })
        .collect()
}

/// Whether the file is state: no file, no clock, no `async`.
fn is_state(path: &str) -> bool {
    let has_state = layer_of(module_of(path)).is_some_and(|layer| layer >= 2);
    has_state && !JOBS.contains(&path) && !path.starts_with("journal/recovery/")
}

#[test]
fn every_engine_module_has_its_layer_and_names_no_module_of_a_higher_one() {
    for file in engine_files().iter().filter(|file| file.path != "lib.rs") {
        let layer = layer_of(module_of(&file.path)).unwrap_or_else(|| panic!("{} has no layer", file.path));
        for path in crate_paths(&code(&file.text)) {
            assert!(!path.is_empty(), "{}: name modules one by one behind crate::", file.path);
            let used = path.split("::").next().expect("a path has a first part");
            let used_layer = layer_of(used).unwrap_or_else(|| panic!("{} names crate::{path}", file.path));
            let excepted = LAYER_EXCEPTIONS.contains(&(&file.path, path));
            assert!(used_layer <= layer || excepted, "{} (layer {layer}) names crate::{path}", file.path);
        }
    }
}

#[test]
fn the_layers_and_jobs_in_the_page_are_those_that_are_tested() {
    let page = tables(&read(ARCHITECTURE));
    let layers = Table::find(&page, &["layer", "modules", "must not use"]);
    let said: Vec<_> = layers.rows.iter().map(|row| quoted(&row[1])).collect();
    assert_eq!(said, LAYERS.map(<[&str]>::to_vec));
    let jobs = Table::find(&page, &["job", "does"]);
    let said: Vec<_> = jobs.rows.iter().map(|row| quoted(&row[0])[0]).collect();
    assert_eq!(said, JOBS);
}

#[test]
fn state_has_no_async_and_names_only_values_of_io() {
    for file in engine_files().iter().filter(|file| is_state(&file.path)) {
        let source = code(&file.text);
        for word in ["async ", ".await", "Runtime", "std::fs", "std::io", "std::net", "std::thread", "std::time"] {
            assert!(!source.contains(word), "{} is state and contains {word}", file.path);
        }
        for (at, found) in source.match_indices("io::") {
            let rest = &source[at + found.len()..];
            let list = rest.strip_prefix('{').map_or_else(
                || rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default(),
                |list| list.split('}').next().unwrap_or_default(),
            );
            for name in list.split(',').map(str::trim) {
                assert!(IO_VALUES.contains(&name), "{} is state and names io::{name}", file.path);
            }
        }
    }
}

#[test]
fn the_engine_outside_the_seam_has_no_clock_no_threads_and_no_random_order() {
    for file in engine_files().iter().filter(|file| module_of(&file.path) != "io") {
        let source = code(&file.text);
        for word in ["HashMap", "HashSet", "Instant::now", "SystemTime::now", "thread::spawn", "Mutex", "RwLock"] {
            assert!(!source.contains(word), "{} contains {word}", file.path);
        }
    }
}

#[test]
fn the_runtime_crate_is_named_in_its_folder_only() {
    let seams = ["engine/src/io/glommio", "net/src/io/glommio", "bench/src/bare"];
    for file in all_files().iter().filter(|file| !seams.iter().any(|seam| file.path.starts_with(seam))) {
        let source = without_strings(&code(&file.text));
        for (at, _) in source.match_indices("glommio") {
            let of_the_seam = ["io::", "mod "].iter().any(|before| source[..at].ends_with(before));
            assert!(of_the_seam, "{} names the crate glommio", file.path);
        }
    }
    for manifest in ["tools/Cargo.toml", "tests/Cargo.toml", "tests/harness/Cargo.toml"] {
        assert!(!read(manifest).contains("glommio"), "{manifest} depends on glommio");
    }
}

#[test]
fn the_file_map_lists_exactly_the_files_of_the_engine() {
    let page = tables(&read(ARCHITECTURE));
    let map = Table::find(&page, &["file", "holds"]);
    let said: Vec<_> = map.rows.iter().map(|row| quoted(&row[0])[0].to_owned()).collect();
    let listed: BTreeSet<_> = said.iter().cloned().collect();
    assert_eq!(listed.len(), said.len(), "a file is listed twice");
    let test_support = ["io/blocking/conformance.rs".to_owned()];
    let exist: BTreeSet<_> = engine_files().into_iter().map(|file| file.path).chain(test_support).collect();
    let missing: Vec<_> = exist.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&exist).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not in the file map: {missing:?}; listed and not there: {gone:?}");
    assert!(map.rows.iter().all(|row| !row[1].is_empty()), "every file says what it holds");
}

#[test]
fn no_module_is_called_mod() {
    for file in all_files() {
        assert!(!file.path.ends_with("/mod.rs"), "{}: foo.rs stands beside foo/", file.path);
    }
}

#[test]
fn unsafe_stands_only_where_it_is_listed() {
    let word = |source: &str| source.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
    for file in all_files() {
        let listed = UNSAFE_FILES.contains(&file.path.as_str());
        assert_eq!(word(&without_strings(&code(&file.text))), listed, "unsafe in {}", file.path);
        assert!(!listed || file.text.contains("// SAFETY:"), "{} proves its unsafe", file.path);
    }
}

/// A source without what stands in quotation marks on one line.
fn without_strings(source: &str) -> String {
    source.lines().map(|line| line.split('"').step_by(2).collect::<String>() + "\n").collect()
}

#[test]
fn nothing_is_left_to_be_done() {
    let words =
        [["to", "do!"], ["unimpl", "emented!"], ["FIX", "ME"], ["TO", "DO"], ["XX", "X"]].map(|word| word.concat());
    for file in all_files() {
        for word in &words {
            assert!(!file.text.contains(word), "{} contains {word}", file.path);
        }
    }
}

#[test]
fn files_are_short() {
    for file in all_files() {
        let count = file.text.lines().count();
        assert!(count <= LINE_COUNT_MAX || is_unit_test(&file.path), "{} has {count} lines", file.path);
    }
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let manifest = read("Cargo.toml");
    let (_, section) = manifest.split_once("[workspace.dependencies]\n").expect("the dependencies");
    let (section, _) = section.split_once("\n[").expect("something follows the dependencies");
    let family = |line: &str| line.split([' ', '_', '-']).next().unwrap_or_default().to_owned();
    let mut above = String::new();
    for line in section.lines().filter(|line| !line.contains("{ path = ")) {
        let explained = above.starts_with("# ") || (!above.is_empty() && family(&above) == family(line));
        assert!(line.is_empty() || line.starts_with("# ") || explained, "no sentence stands above: {line}");
        assert!(!line.starts_with("# ") || line.ends_with('.'), "a sentence ends: {line}");
        above = line.to_owned();
    }
}

#[test]
fn tests_replace_only_what_lies_below_the_seam() {
    let mut traits = BTreeSet::new();
    for file in files("engine/src", "rs") {
        for line in code(&file.text).lines().filter_map(|line| line.trim().strip_prefix("pub trait ")) {
            traits.insert(line.split([':', '<', ' ', '{']).next().expect("a name").to_owned());
        }
    }
    assert_eq!(traits, REPLACEABLE.map(str::to_owned).into(), "the engine has no other traits to replace");
    for file in files("tests", "rs").iter().chain(&files("tools", "rs")) {
        let source = code(&file.text);
        assert!(!source.contains("#[path = \"../../engine"), "{} takes files of the engine", file.path);
        for module in ["shard", "journal", "segment", "checkpoint", "partition", "catalogue", "producer", "format"] {
            let replaced = format!("impl florin_engine::{module}::");
            let outlet = source.contains("impl florin_engine::shard::driver::Outlet");
            assert!(!source.contains(&replaced) || outlet, "{} replaces something of {module}", file.path);
        }
    }
}

#[test]
fn every_link_in_a_page_leads_somewhere() {
    for page in PAGES {
        let text = read(page);
        let folder = root().join(page).parent().expect("a page lies in a folder").to_owned();
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().expect("a link ends")) {
            let target = target.split('#').next().expect("a target begins");
            let outside = target.contains("://") || target.is_empty();
            assert!(outside || folder.join(target).exists(), "{page} links to {target}, which is not there");
        }
    }
}

#[test]
fn every_file_that_a_page_names_exists() {
    for page in PAGES {
        let text = read(page);
        for name in quoted_in_prose(&text) {
            let name = name.trim_end_matches('/');
            let is_path = ["engine/", "net/", "tests/", "tools/"].iter().any(|folder| name.starts_with(folder));
            assert!(!is_path || root().join(name).exists(), "{page} names {name}, which is not there");
        }
    }
}

#[test]
fn every_test_and_checker_that_the_durability_page_names_exists() {
    let page = read("engine/docs/DURABILITY.md");
    let sources: String = all_files().into_iter().map(|file| file.text).collect();
    let is_test = |name: &&str| {
        name.matches('_').count() >= 4 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let names: Vec<_> = quoted_in_prose(&page).into_iter().filter(is_test).collect();
    assert!(names.len() >= 4, "the page names the tests that show its promises");
    for name in names {
        assert!(sources.contains(&format!("fn {name}(")), "{name} is no test");
    }
    let page = tables(&page);
    let checkers = Table::find(&page, &["checker", "what it holds the engine to"]);
    let said: BTreeSet<_> = checkers.rows.iter().map(|row| quoted(&row[0])[0]).collect();
    let worlds: String = files("tests/src/world", "rs").into_iter().map(|file| file.text).collect();
    let after = |mark| worlds.split(mark).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
    let names = after("violation(").chain(after("const PROMISE: &str = "));
    let are: BTreeSet<_> = names.map(|name| name.split('"').next().expect("a name ends")).collect();
    assert_eq!(said, are, "the checkers of the simulator");
}

/// What stands between code marks, outside of blocks of code.
fn quoted_in_prose(page: &str) -> Vec<&str> {
    page.split("```").step_by(2).flat_map(|prose| prose.lines().flat_map(quoted)).collect()
}
