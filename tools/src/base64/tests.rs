use super::{decode, encode};

#[test]
fn the_examples_of_the_standard_are_encoded_and_decoded() {
    let examples =
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
    for (plain, text) in examples {
        assert_eq!(encode(plain.as_bytes()), text);
        assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()));
    }
}

#[test]
fn every_length_and_byte_comes_back() {
    for length in 0..=256_usize {
        let bytes: Vec<u8> = (0..length).map(|index| u8::try_from(index * 7 % 256).expect("below 256")).collect();
        assert_eq!(decode(&encode(&bytes)), Some(bytes));
    }
}

#[test]
fn what_no_encoder_writes_is_refused() {
    for text in ["Z", "Zg", "Zg=", "Zg===", "Zh==", "====", "=", "Z===", "Zm9v\n", "Zm-_", "Zg==Zg==", "Zmé="] {
        assert_eq!(decode(text), None, "{text}");
    }
}
