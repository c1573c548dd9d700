//! What is promised of every output: documented JSON fields, and no secret.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::scratch::Scratch;

const README: &str = include_str!("../../README.md");
/// Commands, and their arguments behind the directory.
const DOCUMENTS: [(&str, &[&str]); 8] = [
    ("inspect identity", &[]),
    ("inspect superblock", &[]),
    ("inspect manifest", &[]),
    ("inspect journal", &[]),
    ("inspect journal", &["--entries"]),
    ("inspect journal", &["--deep"]),
    ("inspect segment", &["--shard=0"]),
    ("verify", &[]),
];
/// Those that need a segment file.
const AT_REST: [(&str, &[&str]); 4] = [
    ("inspect segment", &["--shard=0", "--segment=1"]),
    ("inspect segment", &["--shard=0", "--segment=1", "--deep"]),
    ("inspect extent", &["--shard=0", "--segment=1", "--position=0", "--deep"]),
    ("inspect index", &["--shard=0", "--segment=1"]),
];

fn fields(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                into.insert(name.clone());
                fields(value, into);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, into)),
        _ => {}
    }
}

#[test]
fn every_json_field_is_documented_and_in_snake_case() {
    let mut found = BTreeSet::new();
    let at_rest = Scratch::at_rest();
    for (command, more) in AT_REST {
        fields(&at_rest.run(command, &[more, &["--json"]].concat()).json(), &mut found);
    }
    at_rest.flip("shard-0/segment-000000000001", 130);
    for scratch in [Scratch::crashed(), Scratch::closed(), Scratch::sealed(), at_rest] {
        for (command, more) in DOCUMENTS {
            fields(&scratch.run(command, &[more, &["--json"]].concat()).json(), &mut found);
        }
    }
    assert!(found.len() > 60, "{found:?}");
    for field in found {
        assert!(field.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{field} is not in snake case");
        assert!(README.contains(&format!("`{field}`")), "{field} is not documented in tools/README.md");
    }
}

#[test]
fn the_secret_journal_id_is_in_no_output_whatever_the_state_of_the_directory() {
    let damaged = Scratch::sealed();
    let second = damaged.blocks("shard-0/journal-000")[1].0;
    damaged.flip("shard-0/journal-000", second + 200);
    damaged.flip("shard-0/superblock-a", 40);
    damaged.flip("shard-0/journal-003", 40);
    for scratch in
        [Scratch::formatted(), Scratch::crashed(), Scratch::closed(), Scratch::sealed(), Scratch::at_rest(), damaged]
    {
        let secret = scratch.bytes("shard-0/superblock-b")[32..48].to_vec();
        assert_ne!(secret, [0; 16]);
        assert_eq!(scratch.bytes("shard-0/journal-001")[16..32], secret, "that is where it is");
        let halves = [&secret[..8], &secret[8..]].map(|half| half.try_into().expect("eight bytes"));
        let mut spellings: Vec<String> = vec![secret.iter().map(|byte| format!("{byte:02x}")).collect()];
        for half in halves {
            spellings.extend([u64::from_le_bytes(half), u64::from_be_bytes(half)].map(|number| number.to_string()));
            spellings.push(format!("{:02x}{:02x}{:02x}{:02x}", half[0], half[1], half[2], half[3]));
        }
        spellings.push(format!("{secret:?}"));
        for (command, more) in DOCUMENTS.into_iter().chain(AT_REST) {
            for form in [&[][..], &["--json"]] {
                let answer = scratch.run(command, &[more, form].concat());
                let said = answer.out.to_lowercase() + &answer.err.to_lowercase();
                for spelling in &spellings {
                    assert!(!said.contains(spelling), "{command} tells {spelling}");
                }
            }
        }
    }
    let scratch = Scratch::new();
    let answer = scratch.run("format", &Scratch::SIZES);
    let secret: String =
        scratch.bytes("shard-0/superblock-b")[32..48].iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!answer.out.contains(&secret));
}
