use super::*;

#[test]
fn a_name_has_visible_characters_and_a_length_within_the_limit() {
    for name in ["a", "settlement-1", "Zürich / Kasse 7", &"x".repeat(GIVEN_NAME_BYTES_MAX)] {
        assert_eq!(TransactionalId::new(name).unwrap().as_str(), name);
        assert_eq!(GroupId::new(name).unwrap().to_string(), name);
    }
    assert_eq!(TransactionalId::new(""), Err(NameError::Empty));
    let long = "x".repeat(GIVEN_NAME_BYTES_MAX + 1);
    assert_eq!(GroupId::new(&long), Err(NameError::TooLong { bytes: GIVEN_NAME_BYTES_MAX + 1 }));
    assert_eq!(GroupId::new("a\nb"), Err(NameError::Control { position: 1 }));
}
