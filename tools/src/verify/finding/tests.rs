use florin_engine::format::stored::Stored;
use florin_engine::io::{DiskError, DiskErrorKind, DiskOperation};

use super::{Finding, Severity, Verdict, coalesce, severity_of_copy, verdict};

fn unit(position: u64, what: &str) -> Finding {
    Finding::new(Severity::Damage, what).in_file("journal").at(position, 4096)
}

fn failed(kind: DiskErrorKind) -> Stored<()> {
    let (operation, path, detail) = (DiskOperation::Read, "file".into(), String::new());
    Stored::Unreadable(DiskError { operation, path, position: None, kind, detail })
}

#[test]
fn equal_findings_that_touch_become_one_and_others_do_not() {
    let findings = vec![unit(0, "a"), unit(4096, "a"), unit(8192, "b"), unit(16_384, "b"), unit(20_480, "b")];
    let merged = coalesce(findings);
    let places: Vec<_> = merged.iter().map(|finding| (finding.position, finding.finding_bytes)).collect();
    assert_eq!(places, [(Some(0), Some(8192)), (Some(8192), Some(4096)), (Some(16_384), Some(8192))]);
}

#[test]
fn findings_without_a_place_or_in_other_files_are_never_merged() {
    let without = Finding::new(Severity::Note, "a");
    let elsewhere = unit(4096, "a").in_file("another");
    assert_eq!(coalesce(vec![without.clone(), without, unit(0, "a"), elsewhere]).len(), 4);
}

#[test]
fn damage_outweighs_not_knowing_and_notes_weigh_nothing() {
    let finding = |severity| Finding::new(severity, "");
    assert_eq!(verdict(&[]), Verdict::Clean);
    assert_eq!(verdict(&[finding(Severity::Note)]), Verdict::Clean);
    assert_eq!(verdict(&[finding(Severity::CannotTell), finding(Severity::Note)]), Verdict::CannotTell);
    assert_eq!(verdict(&[finding(Severity::Damage), finding(Severity::CannotTell)]), Verdict::Damage);
}

#[test]
fn only_what_the_disk_or_another_version_keeps_from_us_is_not_known() {
    assert_eq!(severity_of_copy(&Stored::Present(())), None);
    assert_eq!(severity_of_copy::<()>(&Stored::Absent), Some(Severity::Damage));
    assert_eq!(severity_of_copy::<()>(&Stored::Damaged(String::new())), Some(Severity::Damage));
    assert_eq!(severity_of_copy::<()>(&Stored::OtherVersion(2)), Some(Severity::CannotTell));
    assert_eq!(severity_of_copy(&failed(DiskErrorKind::Failed)), Some(Severity::CannotTell));
    assert_eq!(severity_of_copy(&failed(DiskErrorKind::Refused)), Some(Severity::CannotTell));
    assert_eq!(severity_of_copy(&failed(DiskErrorKind::NotFound)), Some(Severity::Damage));
    let cut_off = DiskErrorKind::Short { asked_bytes: 2, done_bytes: 1 };
    assert_eq!(severity_of_copy(&failed(cut_off)), Some(Severity::Damage));
}

#[test]
fn a_finding_names_its_place_in_one_line() {
    assert_eq!(unit(4096, "gone").line(), "damage in journal at byte 4096 (4096 bytes): gone");
    assert_eq!(Finding::new(Severity::CannotTell, "locked").line(), "cannot tell: locked");
}
