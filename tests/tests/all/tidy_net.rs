//! The shape of the network side: layers, its file map, and what it may name.

use std::collections::BTreeSet;

use crate::tidy::{crate_paths, module_of};
use crate::tree::{SourceFile, Table, code, files, is_unit_test, quoted, read, tables};

const NET: &str = "net/src/";
const ARCHITECTURE: &str = "net/docs/ARCHITECTURE.md";

/// The modules of each row of the page's table; a file may name modules of its own row and of those before, but the
/// client and the server nothing of each other.
const LAYERS: [&[&str]; 5] = [
    &["limits"],
    &["protocol", "io", "metrics", "backpressure", "bulk"],
    &["route"],
    &["listener", "connection", "handler", "server", "http"],
    &["client"],
];
/// What the client may name beside itself.
const FOR_CLIENTS: [&str; 2] = ["limits", "protocol"];
/// Files of the client that may name clocks, threads and sockets.
const CLIENT_ADAPTER: &str = "client/blocking";

fn net_files() -> Vec<SourceFile> {
    let all = files("net/src", "rs").into_iter().filter(|file| !is_unit_test(&file.path));
    all.map(|file| SourceFile { path: file.path[NET.len()..].to_owned(), text: file.text }).collect()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn every_module_of_the_network_side_has_its_layer_and_names_none_of_a_higher_one() {
    for file in net_files().iter().filter(|file| file.path != "lib.rs") {
        let module = module_of(&file.path);
        let layer = layer_of(module).unwrap_or_else(|| panic!("{} has no layer", file.path));
        for path in crate_paths(&code(&file.text)) {
            let used = path.split("::").next().expect("a path has a first part");
            let used_layer = layer_of(used).unwrap_or_else(|| panic!("{} names crate::{path}", file.path));
            let allowed = match module {
                "client" => used == "client" || FOR_CLIENTS.contains(&used),
                _ => used_layer <= layer && used != "client",
            };
            assert!(allowed, "{} names crate::{path}", file.path);
        }
    }
}

#[test]
fn the_layers_in_the_page_of_the_network_side_are_those_that_are_tested() {
    let page = tables(&read(ARCHITECTURE));
    let layers = Table::find(&page, &["layer", "modules", "must not use"]);
    let said: Vec<_> = layers.rows.iter().map(|row| quoted(&row[1])).collect();
    assert_eq!(said, LAYERS.map(<[&str]>::to_vec));
}

#[test]
fn the_file_map_of_the_network_side_lists_exactly_its_files() {
    let page = tables(&read(ARCHITECTURE));
    let map = Table::find(&page, &["file", "holds"]);
    let said: Vec<_> = map.rows.iter().map(|row| quoted(&row[0])[0].to_owned()).collect();
    let listed: BTreeSet<_> = said.iter().cloned().collect();
    assert_eq!(listed.len(), said.len(), "a file is listed twice");
    let exist: BTreeSet<_> = net_files().into_iter().map(|file| file.path).collect();
    let missing: Vec<_> = exist.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&exist).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not in the file map: {missing:?}; listed and not there: {gone:?}");
}

#[test]
fn the_protocol_and_the_core_of_the_client_have_no_socket_no_clock_and_no_async() {
    for file in net_files() {
        let pure = module_of(&file.path) == "protocol"
            || (module_of(&file.path) == "client" && !file.path.starts_with(CLIENT_ADAPTER));
        let source = code(&file.text);
        for word in ["async ", ".await", "std::net", "std::io", "std::thread", "Instant::now", "SystemTime", "mio::"] {
            assert!(!pure || !source.contains(word), "{} contains {word}", file.path);
        }
    }
}

#[test]
fn no_file_of_the_network_side_opens_one() {
    for file in net_files() {
        let source = code(&file.text);
        for word in ["std::fs", "File::", "OpenOptions", "HashMap", "HashSet", "RwLock"] {
            assert!(!source.contains(word), "{} contains {word}", file.path);
        }
        let has_lock = source.contains("Mutex") && !file.path.starts_with(CLIENT_ADAPTER) && file.path != "http.rs";
        assert!(!has_lock, "{} has a lock, which no shard may wait for", file.path);
    }
}
