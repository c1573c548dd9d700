//! The source tree as text: what tests about the tree itself read.

use std::path::PathBuf;

/// A file of the tree.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its path from the root, with slashes.
    pub path: String,
    /// Its contents.
    pub text: String,
}

/// The root of the workspace: that of the build, or the one that the environment names, for a tree that was changed.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or(PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().expect("the tests crate lies in the workspace").to_owned()
}

/// The contents of one file of the tree.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below `folder` whose name ends in `.ending`, in the order of their paths.
pub fn files(folder: &str, ending: &str) -> Vec<SourceFile> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                let name = path.strip_prefix(root()).expect("it lies below the root").to_string_lossy().into_owned();
                found.push(SourceFile { text: read(&name), path: name });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Whether a source file holds unit tests only.
pub fn is_unit_test(path: &str) -> bool {
    let path = path.trim_end_matches(".rs");
    let of_tests = |part: &str| part == "tests" || part.ends_with("_tests") || part == "conformance";
    path.split('/').skip(2).any(of_tests)
}

/// `text` without comments and without the contents of its unit tests, which stand at the end of a file.
pub fn code(text: &str) -> String {
    let text = match text.find("#[cfg(test)]\nmod tests {") {
        Some(tests) => &text[..tests],
        None => text,
    };
    let lines = text.lines().map(|line| match line.find("//") {
        Some(comment) if !line[..comment].contains('"') => &line[..comment],
        _ => line,
    });
    lines.fold(String::with_capacity(text.len()), |code, line| code + line + "\n")
}

/// A table of a Markdown page, with what stands above it.
#[derive(Clone, Debug)]
pub struct Table {
    /// The paragraph directly above, as one line.
    pub caption: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The cells, with code marks as they stand.
    pub rows: Vec<Vec<String>>,
}

/// All tables of a page.
pub fn tables(page: &str) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut paragraph_ended = false;
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with('|') {
            let columns = cells(line);
            lines.next_if(|line| line.starts_with("| -"));
            let mut rows = Vec::new();
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                rows.push(cells(row));
            }
            tables.push(Table { caption: std::mem::take(&mut paragraph).join(" "), columns, rows });
        } else if line.is_empty() {
            paragraph_ended = true;
        } else {
            if std::mem::take(&mut paragraph_ended) {
                paragraph.clear();
            }
            paragraph.push(line);
        }
    }
    tables
}

fn cells(line: &str) -> Vec<String> {
    line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// The texts between pairs of code marks.
pub fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

impl Table {
    /// The table of a page whose columns begin like this.
    pub fn find<'a>(tables: &'a [Self], columns: &[&str]) -> &'a Self {
        let fits = |table: &&Self| {
            table.columns.len() >= columns.len() && table.columns.iter().zip(columns).all(|(have, want)| have == want)
        };
        tables.iter().find(fits).unwrap_or_else(|| panic!("no table has the columns {columns:?}"))
    }
}
