//! Reads the structs and encoders of the code as text: what they put where.

use crate::tree::{code, files, quoted, read};

/// A field: where it begins, how many bytes it has, what it is called.
pub type Field = (usize, usize, String);

/// A struct that is laid out on disk.
pub struct Structure {
    pub name: String,
    pub path: String,
    pub fields: Vec<Field>,
    /// The magic that its file writes, if the struct begins with one of several bytes.
    pub magic: Option<String>,
}

/// A function that writes numbers one after the other.
pub struct Encoding {
    pub function: String,
    pub path: String,
    pub number_bytes: Vec<usize>,
}

/// The value of an integer constant in `source`.
pub fn constant(source: &str, name: &str) -> Option<usize> {
    let (_, after) = source.split_once(&format!("const {name}: "))?;
    let (_, value) = after.split_once(" = ")?;
    value.split_once(';')?.0.replace('_', "").parse().ok()
}

/// The names of all structs of the formats that are laid out byte by byte.
pub fn all_structures() -> Vec<String> {
    let mut names = Vec::new();
    for file in files("engine/src/format", "rs") {
        for (before, _) in file.text.match_indices("#[repr(C)]") {
            let after = &file.text[before..];
            let (_, name) = after.split_once("struct ").expect("a struct behind repr(C)");
            names.push(name.split(' ').next().expect("a name").to_owned());
        }
    }
    names
}

impl Structure {
    /// The struct that a caption names: "Layout `Name` in `path`, N bytes, little-endian:".
    pub fn of_caption(caption: &str) -> Self {
        let (_, caption) = caption.rsplit_once("Layout ").expect("the caption of a layout");
        let [name, path] = quoted(caption)[..] else { panic!("a caption names struct and file: {caption}") };
        let source = code(&read(path));
        let fields = fields(&source, name);
        let end = fields.last().map_or(0, |(at, bytes, _)| at + bytes);
        let (big, little) = (source.contains("big_endian::{"), source.contains("little_endian::{"));
        assert!(big != little, "{path} has one byte order");
        let order = if big { "big-endian" } else { "little-endian" };
        assert!(caption.ends_with(&format!(", {end} bytes, {order}:")), "{name}: {end} bytes, {order}: {caption}");
        let magic = source.split_once("const MAGIC: [u8; 8] = *b\"").map(|(_, magic)| magic[..8].to_owned());
        let has_magic = fields[0].2 == "magic" && fields[0].1 == 8;
        Self { name: name.to_owned(), path: path.to_owned(), fields, magic: magic.filter(|_| has_magic) }
    }
}

fn fields(source: &str, name: &str) -> Vec<Field> {
    let (_, body) = source.split_once(&format!("struct {name} {{")).unwrap_or_else(|| panic!("no struct {name}"));
    let (body, _) = body.split_once('}').expect("a struct ends");
    let mut at = 0;
    let mut fields = Vec::new();
    for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (field, kind) = line.trim_end_matches(',').split_once(": ").expect("a field and its type");
        let bytes = bytes_of(source, kind);
        fields.push((at, bytes, field.trim_start_matches("pub ").to_owned()));
        at += bytes;
    }
    fields
}

fn bytes_of(source: &str, kind: &str) -> usize {
    match kind {
        "u8" => 1,
        "U16" | "I16" => 2,
        "U32" | "I32" => 4,
        "U64" | "I64" => 8,
        "U128" => 16,
        _ => match kind.strip_prefix('[').and_then(|array| array.strip_suffix(']')) {
            Some(array) => {
                let (element, count) = array.split_once("; ").expect("an array has a length");
                bytes_of(source, element) * count_of(count)
            }
            None => fields(source, kind).iter().map(|(_, bytes, _)| bytes).sum(),
        },
    }
}

fn count_of(count: &str) -> usize {
    let name = count.trim_end_matches(" as usize");
    count.parse().ok().or_else(|| constant(&read("engine/src/limits.rs"), name)).expect("the length of an array")
}

impl Encoding {
    /// The function that a caption names: "Encoding `function` in `path`:".
    pub fn of_caption(caption: &str) -> Self {
        let (_, caption) = caption.rsplit_once("Encoding ").expect("the caption of an encoding");
        let [function, path] = quoted(caption)[..] else { panic!("a caption names function and file: {caption}") };
        let source = code(&read(path));
        let (_, body) =
            source.split_once(&format!("fn {function}(")).unwrap_or_else(|| panic!("no {function} in {path}"));
        let number_bytes = body[..end_of_block(body)].split("put_").skip(1).filter_map(number_bytes).collect();
        Self { function: function.to_owned(), path: path.to_owned(), number_bytes }
    }
}

/// Where the first block of braces in `source` ends.
fn end_of_block(source: &str) -> usize {
    let mut depth = 0_usize;
    for (at, character) in source.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    panic!("a block ends")
}

/// The bytes that a call of `put_…` writes; nothing for those whose length varies.
fn number_bytes(call: &str) -> Option<usize> {
    let (kind, _) = call.split_once('(').expect("a call");
    match kind {
        "u8" => Some(1),
        "u16_le" => Some(2),
        "u32_le" => Some(4),
        "u64_le" | "i64_le" => Some(8),
        "slice" => None,
        other => panic!("put_{other} writes something that no page describes"),
    }
}
