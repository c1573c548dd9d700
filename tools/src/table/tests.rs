use super::{Align, Table};

#[test]
fn columns_are_as_wide_as_their_widest_cell_and_lines_stand_between_rows() {
    let mut table = Table::new(&[("NAME", Align::Left), ("BYTES", Align::Right)]);
    table.row(vec!["a".to_owned(), "1".to_owned()]);
    table.line("  more about a".to_owned());
    table.row(vec!["longer".to_owned(), "1234567".to_owned()]);
    let mut text = String::new();
    table.render(&mut text, 2);
    assert_eq!(text, "  NAME      BYTES\n  a             1\n    more about a\n  longer  1234567\n");
}

#[test]
fn a_table_without_rows_is_nothing() {
    let mut text = String::new();
    Table::new(&[("NAME", Align::Left)]).render(&mut text, 0);
    assert_eq!(text, "");
}
