use super::{Size, counted, grouped};

#[test]
fn sizes_are_read_with_and_without_a_unit() {
    let read = |text: &str| text.parse::<Size>().map(|size| size.0);
    assert_eq!(read("4096"), Ok(4096));
    assert_eq!(read("64MiB"), Ok(64 << 20));
    assert_eq!(read("64 mib"), Ok(64 << 20));
    assert_eq!(read("1GiB"), Ok(1 << 30));
    assert_eq!(read("32KiB"), Ok(32 << 10));
    assert_eq!(read("7B"), Ok(7));
}

#[test]
fn what_is_no_size_is_refused_with_an_example() {
    for text in ["", "MiB", "64MB", "64M", "-1", "1.5GiB", "99999999999999999999", "MiB64"] {
        let error = text.parse::<Size>().expect_err(text);
        assert!(error.contains("64MiB"), "{error}");
    }
    assert!("99999999999GiB".parse::<Size>().expect_err("too large").contains("64 bits"));
}

#[test]
fn sizes_are_shown_with_the_largest_unit_that_divides_them() {
    let shown = [0, 1, 4096, 5000, 64 << 20, (64 << 20) + 4096, 3 << 30].map(|bytes| Size(bytes).to_string());
    assert_eq!(shown, ["0B", "1B", "4KiB", "5000B", "64MiB", "65540KiB", "3GiB"]);
}

#[test]
fn what_is_shown_can_be_read_again() {
    for bytes in [0, 1, 4096, 5000, 64 << 20, (64 << 20) + 4096, u64::MAX] {
        assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
    }
}

#[test]
fn rounded_sizes_have_the_largest_unit_they_reach_and_at_most_one_decimal() {
    let shown =
        [0, 1, 4096, 5000, 64 << 20, 720_936 << 10, (1 << 30) + (1 << 29), u64::MAX].map(|bytes| Size(bytes).rounded());
    assert_eq!(shown, ["0B", "1B", "4KiB", "4.9KiB", "64MiB", "704.0MiB", "1.5GiB", "17179869184.0GiB"]);
}

#[test]
fn one_thing_is_named_in_the_singular() {
    let named = [0, 1, 2].map(|count| counted(count, "copy", "copies"));
    assert_eq!(named, ["0 copies", "1 copy", "2 copies"]);
}

#[test]
fn thousands_stand_apart() {
    assert_eq!([0, 12, 999, 1_000, 69_659, 1_000_000].map(grouped), ["0", "12", "999", "1,000", "69,659", "1,000,000"]);
}
