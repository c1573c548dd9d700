//! The tables of fields in the page, walked over the bytes of a head.

use crate::tree::{Table, quoted};

/// A field of a head: where it lies, what it is called, and which counts say how often it comes.
#[derive(Clone, Debug)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    pub name: String,
    pub counts: Vec<String>,
}

/// A row of a table of fields.
struct Row<'a> {
    at: &'a str,
    bytes: &'a str,
    /// The lists that the field lies in, outermost first.
    lists: Vec<&'a str>,
    name: &'a str,
    kind: &'a str,
}

impl<'a> Row<'a> {
    fn of(cells: &'a [String]) -> Self {
        let mut lists: Vec<_> = quoted(&cells[2])[0].split("[].").collect();
        let name = lists.pop().expect("a field has a name");
        Self { at: &cells[0], bytes: &cells[1], lists, name, kind: &cells[3] }
    }
}

/// Where the fields of a table lie in these bytes.
pub fn spans(table: &Table, head: &[u8]) -> Vec<Span> {
    let rows: Vec<_> = table.rows.iter().map(|cells| Row::of(cells)).collect();
    let mut walk = Walk { head, at: 0, fixed: true, spans: Vec::new() };
    walk.rows(&rows, 0);
    assert_eq!(walk.at, head.len(), "the fields of \"{}\" take the whole head", table.caption);
    walk.spans
}

struct Walk<'a> {
    head: &'a [u8],
    at: usize,
    /// Whether the place is the same in every head.
    fixed: bool,
    spans: Vec<Span>,
}

impl Walk<'_> {
    fn rows(&mut self, rows: &[Row<'_>], depth: usize) {
        let mut rest = rows;
        while let [row, behind @ ..] = rest {
            assert_eq!(row.lists.len(), depth, "{} stands behind the count of its list", row.name);
            self.place(row);
            let start = self.at;
            let number = self.field(row);
            let end = self.at;
            let mut counts: Vec<_> = row.lists.iter().map(|list| (*list).to_owned()).collect();
            self.spans.push(Span { start, end, name: row.name.to_owned(), counts: counts.clone() });
            rest = behind;
            if row.kind == "count" {
                counts.push(row.name.to_owned());
                let of_list = |row: &Row<'_>| row.lists.iter().map(|list| (*list).to_owned()).collect::<Vec<_>>();
                let items = rest.iter().take_while(|row| of_list(row).starts_with(&counts)).count();
                let (item, behind) = rest.split_at(items);
                assert!(!item.is_empty(), "the items of {} have fields", row.name);
                self.fixed = false;
                (0..number).for_each(|_| self.rows(item, depth + 1));
                rest = behind;
            }
        }
    }

    /// The page tells the place of a field where it is the same in every head, and only there.
    fn place(&self, row: &Row<'_>) {
        let place = if self.fixed { self.at.to_string() } else { "-".to_owned() };
        assert_eq!(row.at, place, "the place of {}", row.name);
    }

    /// Steps over one field; gives its value if it is a number.
    fn field(&mut self, row: &Row<'_>) -> u64 {
        let is_long = row.kind == "text" || row.kind == "blob";
        let told: usize = if is_long { 0 } else { row.bytes.parse().expect("a length") };
        let bytes = match row.kind {
            "u8" | "flag" => 1,
            "u16" => 2,
            "u32" | "count" => 4,
            "u64" => 8,
            "bytes" => told,
            "text" => {
                assert_eq!(row.bytes, "n", "a text has no length of its own");
                self.fixed = false;
                2 + usize::from(u16::from_le_bytes([self.head[self.at], self.head[self.at + 1]]))
            }
            "blob" => {
                assert_eq!(row.bytes, "n", "bytes have no length of their own");
                self.fixed = false;
                let length = self.head[self.at..].first_chunk().copied().map(u32::from_le_bytes);
                4 + usize::try_from(length.expect("a length")).expect("it is small")
            }
            kind => panic!("{kind} is no type of the page"),
        };
        assert!(is_long || told == bytes, "{} has {told} bytes, and its type {bytes}", row.name);
        let field = &self.head[self.at..self.at + bytes];
        self.at += bytes;
        field.iter().take(8).rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }
}
