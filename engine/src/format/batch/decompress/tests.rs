use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::format::batch::{BatchBuilder, HEADERS_NONE, RecordWalk, batch_crc, validate};
use crate::limits::{BATCH_BYTES_MAX, BATCH_DECOMPRESSED_BYTES_MAX};

const ALL: [Compression; 4] = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// A batch of the same header as `plain` whose records are `compressed`.
fn batch_of(plain: &[u8], compression: Compression, compressed: &[u8]) -> Vec<u8> {
    let mut batch = plain[..HEADER_BYTES].to_vec();
    batch.extend_from_slice(compressed);
    let length = u32::try_from(batch.len() - 12).unwrap();
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[21..23].copy_from_slice(&(compression as u16).to_be_bytes());
    let crc = batch_crc(&batch);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

fn compressed(compression: Compression, records: &[u8]) -> Vec<u8> {
    match compression {
        Compression::None => records.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(records).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Snappy => snap::raw::Encoder::new().compress_vec(records).unwrap(),
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(records).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => zstd::stream::encode_all(records, 3).unwrap(),
    }
}

fn xerial(records: &[u8], block_bytes: usize) -> Vec<u8> {
    let mut out = XERIAL_MAGIC.to_vec();
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    for block in records.chunks(block_bytes) {
        let block = snap::raw::Encoder::new().compress_vec(block).unwrap();
        out.extend_from_slice(&u32::try_from(block.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&block);
    }
    out
}

fn plain(record_count: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for number in 0..record_count {
        builder.push(5, Some(format!("pay-{number}").as_bytes()), Some(&[b'v'; 40]), HEADERS_NONE).unwrap();
    }
    builder.finish().to_vec()
}

#[test]
fn every_compression_gives_back_the_records() {
    let plain = plain(300);
    for compression in ALL {
        let batch = batch_of(&plain, compression, &compressed(compression, &plain[HEADER_BYTES..]));
        validate(&batch, BATCH_BYTES_MAX).expect("it may be stored");
        let records = decompress(&batch, BATCH_DECOMPRESSED_BYTES_MAX).expect("it is what it says");
        assert_eq!(records, &plain[HEADER_BYTES..], "{compression:?}");
        let keys = RecordWalk::of_decompressed(&records, 300).map(|record| record.unwrap().key.unwrap().to_vec());
        assert!(keys.eq((0..300).map(|number| format!("pay-{number}").into_bytes())));
    }
}

#[test]
fn snappy_in_the_frames_of_the_java_library_gives_back_the_records() {
    let plain = plain(300);
    let batch = batch_of(&plain, Compression::Snappy, &xerial(&plain[HEADER_BYTES..], 1000));
    assert_eq!(decompress(&batch, BATCH_DECOMPRESSED_BYTES_MAX).expect("frames"), &plain[HEADER_BYTES..]);
    for cut in [XERIAL_HEADER_BYTES - 1, XERIAL_HEADER_BYTES + 2, XERIAL_HEADER_BYTES + 9] {
        let batch = batch_of(&plain, Compression::Snappy, &xerial(&plain[HEADER_BYTES..], 1000)[..cut]);
        let error = decompress(&batch, BATCH_DECOMPRESSED_BYTES_MAX).expect_err("cut off");
        assert_eq!(error, snappy_error("a block is cut off"));
    }
}

#[test]
fn a_batch_that_would_fill_the_memory_is_refused_at_the_limit() {
    let plain = plain(1);
    let zeros = vec![0; 4 << 20];
    for compression in ALL {
        let batch = batch_of(&plain, compression, &compressed(compression, &zeros));
        assert_eq!(
            decompress(&batch, 1 << 20),
            Err(DecompressError::TooLarge { bytes_max: 1 << 20 }),
            "{compression:?}"
        );
        assert_eq!(decompress(&batch, 4 << 20).map(|records| records.len()), Ok(4 << 20), "{compression:?}");
    }
    let batch = batch_of(&plain, Compression::Snappy, &xerial(&zeros, 1 << 16));
    assert_eq!(decompress(&batch, 1 << 20), Err(DecompressError::TooLarge { bytes_max: 1 << 20 }));
}

#[test]
fn bytes_that_are_no_stream_are_an_error_that_names_the_compression() {
    let plain = plain(3);
    for compression in ALL {
        let error = decompress(&batch_of(&plain, compression, &[0xff; 50]), 1000).expect_err("nonsense");
        let DecompressError::Stream { compression: named, .. } = &error else { panic!("{error}") };
        assert_eq!(*named, compression);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_never_give_more_than_allowed(
        bytes in prop::collection::vec(any::<u8>(), 0..2000), which in 0_usize..4, bytes_max in 0_usize..5000,
    ) {
        let batch = batch_of(&plain(1), ALL[which], &bytes);
        if let Ok(records) = decompress(&batch, bytes_max) {
            prop_assert!(records.len() <= bytes_max);
        }
    }

    #[test]
    fn a_changed_byte_of_a_stream_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), which in 0_usize..4) {
        let plain = plain(50);
        let mut stream = compressed(ALL[which], &plain[HEADER_BYTES..]);
        let at = at.index(stream.len());
        stream[at] = byte;
        let _ = decompress(&batch_of(&plain, ALL[which], &stream), 10_000);
    }
}
