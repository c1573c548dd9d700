use bytes::Bytes;
use florin_net::client::Record;

use super::{Delimiter, Input, InputLine, KeyColumn, LINE_BYTES_MAX, LineFormat};

fn lines(text: &[u8], format: LineFormat, partition: Option<u32>) -> Vec<InputLine> {
    let mut input = Input::new(text, format, partition);
    std::iter::from_fn(|| input.next_line().expect("bytes in memory")).collect()
}

/// The keys of lines, or what is wrong with them.
fn keys(text: &str, number: usize, delimiter: Delimiter) -> Vec<Result<String, String>> {
    let format = LineFormat::Plain { key: Some(KeyColumn { number, delimiter }) };
    let key = |record: Record| String::from_utf8(record.key.expect("a key").to_vec()).expect("text");
    lines(text.as_bytes(), format, None).into_iter().map(|line| line.record.map(key)).collect()
}

const PLAIN: LineFormat = LineFormat::Plain { key: None };

#[test]
fn a_plain_line_is_its_value_without_its_end() {
    let found = lines(b"one\r\n two \n\n\xff\nlast", PLAIN, Some(2));
    let values: Vec<&[u8]> = vec![b"one", b" two ", b"", b"\xff", b"last"];
    for ((line, value), number) in found.iter().zip(&values).zip(1..) {
        let value = Some(Bytes::copy_from_slice(value));
        let record = Record { partition: Some(2), value, ..Record::default() };
        assert_eq!(*line, InputLine { number, record: Ok(record) });
    }
    assert_eq!(found.len(), values.len());
    assert_eq!(lines(b"", PLAIN, None), []);
}

#[test]
fn the_key_is_taken_from_its_column() {
    let found = keys(" 00001 19970101  1\n\t00002\t19970112\n", 1, Delimiter::Whitespace);
    assert_eq!(found, [Ok("00001".to_owned()), Ok("00002".to_owned())]);
    assert_eq!(keys("a  b c", 2, Delimiter::Whitespace), [Ok("b".to_owned())]);
    assert_eq!(keys("a,,c", 2, Delimiter::Byte(b',')), [Ok(String::new())], "an empty column is a key");
    assert_eq!(keys("a,b\r\n", 2, Delimiter::Byte(b',')), [Ok("b".to_owned())], "the end of the line is no key");
}

#[test]
fn a_line_without_the_key_column_is_bad_and_the_next_is_read() {
    let found = keys("a b\nc\n\nd e", 2, Delimiter::Whitespace);
    let missing = |count: &str| Err(format!("has {count} and the key is in column 2"));
    assert_eq!(found, [Ok("b".to_owned()), missing("1 column"), missing("0 columns"), Ok("e".to_owned())]);
}

#[test]
fn lines_are_counted_with_the_header_and_blank_lines() {
    let mut input = Input::new(&b"header\n\n{}\n  \n[]\n"[..], LineFormat::Json, None);
    input.skip_line().expect("bytes in memory");
    let first = input.next_line().expect("read").expect("a line");
    assert_eq!((first.number, first.record), (3, Ok(Record::default())));
    let second = input.next_line().expect("read").expect("a line");
    assert_eq!(second.number, 5);
    assert!(second.record.expect_err("a list").contains("is no record"));
    assert_eq!(input.next_line().expect("read"), None);
}

#[test]
fn a_record_that_names_its_partition_goes_there() {
    let found = lines(b"{\"partition\":1}\n{}", LineFormat::Json, Some(7));
    let partitions: Vec<_> = found.into_iter().map(|line| line.record.expect("a record").partition).collect();
    assert_eq!(partitions, [Some(1), Some(7)]);
}

#[test]
fn an_endless_line_is_bad_and_takes_no_memory() {
    let mut text = vec![b'x'; LINE_BYTES_MAX + 3];
    text.extend_from_slice(b"\nnext\n");
    let found = lines(&text, PLAIN, None);
    assert!(found[0].record.as_ref().expect_err("too long").contains("longer than"));
    assert_eq!(found[1].record.as_ref().expect("a record").value.as_deref(), Some(&b"next"[..]));
    assert_eq!((found.len(), found[1].number), (2, 2));
    let longest = vec![b'x'; LINE_BYTES_MAX];
    assert!(lines(&longest, PLAIN, None)[0].record.is_ok());
}
