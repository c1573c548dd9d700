use super::{JOURNAL_FILE_COUNT, JOURNALS_BYTES, sizes};

/// The number behind a flag.
fn number(sizes: &[String], flag: &str) -> u64 {
    let at = sizes.iter().position(|word| word == flag).expect("the flag is given");
    sizes[at + 1].parse().expect("a number")
}

#[test]
fn journals_are_about_as_large_together_on_any_number_of_cores() {
    for cores in [1, 2, 3, 6, 8, 64, 256] {
        let sizes = sizes(cores);
        let (shards, file) = (number(&sizes, "--shards"), number(&sizes, "--journal-file-bytes"));
        assert_eq!(shards, u64::from(cores.min(8)));
        assert!(file.is_multiple_of(4096) && file >= 32 * 1024, "{cores} cores, files of {file} bytes");
        let journals = shards * JOURNAL_FILE_COUNT * file;
        assert!(journals <= JOURNALS_BYTES && journals > JOURNALS_BYTES * 9 / 10, "{cores} cores, {journals} bytes");
        assert_eq!(number(&sizes, "--memory-bytes"), JOURNAL_FILE_COUNT * file, "as much as the ring");
    }
}
