//! The contents of a file as shared pages: a write is copied once, images and snapshots share it.

use std::ops::Range;
use std::rc::Rc;

use florin_engine::io::UNIT_BYTES;

/// One unit of contents. Never changed once it is shared.
pub(super) type Page = Rc<[u8]>;

const DIGEST_START: u64 = 0x9e37_79b9_7f4a_7c15;
const DIGEST_FACTOR: u64 = 0xff51_afd7_ed55_8ccd;

/// A file's bytes; pages that are missing read as zero.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pages: Vec<Option<Page>>,
    size_bytes: u64,
}

impl Image {
    pub(super) fn zeroed(size_bytes: u64) -> Self {
        Self { pages: Vec::new(), size_bytes }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Sets the size. What is cut off is gone, what is added reads as zero.
    pub(super) fn resize(&mut self, size_bytes: u64) {
        self.size_bytes = size_bytes;
        self.pages.truncate(index(size_bytes.div_ceil(UNIT_BYTES as u64)));
        let tail_bytes = index(size_bytes % UNIT_BYTES as u64);
        if tail_bytes > 0 && self.pages.len() as u64 * UNIT_BYTES as u64 > size_bytes {
            self.change(self.pages.len() - 1, |page| page[tail_bytes..].fill(0));
        }
    }

    /// Raises the size to at least `size_bytes`, and keeps pages that were put beyond the old one.
    pub(super) fn extend(&mut self, size_bytes: u64) {
        self.size_bytes = self.size_bytes.max(size_bytes);
    }

    /// Puts a page in place, also beyond the size: there it is not seen until the size covers it.
    pub(super) fn put(&mut self, number: usize, page: Page) {
        assert_eq!(page.len(), UNIT_BYTES, "a page is one unit");
        if self.pages.len() <= number {
            self.pages.resize(number + 1, None);
        }
        self.pages[number] = Some(page);
    }

    /// A copy of one page.
    pub(super) fn page(&self, number: usize) -> [u8; UNIT_BYTES] {
        let mut bytes = [0; UNIT_BYTES];
        if let Some(Some(page)) = self.pages.get(number) {
            bytes.copy_from_slice(page);
        }
        bytes
    }

    /// Changes a page in a copy of its own.
    pub(super) fn change(&mut self, number: usize, change: impl FnOnce(&mut [u8])) {
        let mut bytes = self.page(number);
        change(&mut bytes);
        self.put(number, Page::from(bytes.as_slice()));
    }

    /// Fills `target`, which lies within the size, from `position`, a multiple of the unit.
    pub(super) fn read(&self, position: u64, target: &mut [u8]) {
        assert!(position.is_multiple_of(UNIT_BYTES as u64) && position + target.len() as u64 <= self.size_bytes);
        let first = index(position / UNIT_BYTES as u64);
        for (number, part) in (first..).zip(target.chunks_mut(UNIT_BYTES)) {
            match self.pages.get(number) {
                Some(Some(page)) => part.copy_from_slice(&page[..part.len()]),
                _ => part.fill(0),
            }
        }
    }

    /// Fills `target` from anywhere within the size.
    pub(super) fn peek(&self, position: u64, target: &mut [u8]) {
        assert!(position + target.len() as u64 <= self.size_bytes, "a peek lies within the file");
        for (position, byte) in (index(position)..).zip(target) {
            *byte = match self.pages.get(position / UNIT_BYTES) {
                Some(Some(page)) => page[position % UNIT_BYTES],
                _ => 0,
            };
        }
    }

    /// Overwrites bytes anywhere within the size.
    pub(super) fn poke(&mut self, position: u64, bytes: &[u8]) {
        assert!(position + bytes.len() as u64 <= self.size_bytes, "a poke lies within the file");
        let (mut position, mut bytes) = (index(position), bytes);
        while !bytes.is_empty() {
            let start = position % UNIT_BYTES;
            let (part, rest) = bytes.split_at(bytes.len().min(UNIT_BYTES - start));
            self.change(position / UNIT_BYTES, |page| page[start..start + part.len()].copy_from_slice(part));
            position += part.len();
            bytes = rest;
        }
    }

    /// Overwrites with zeros whatever of a stretch lies within the size.
    pub(super) fn clear(&mut self, stretch: &Range<u64>) {
        let end = stretch.end.min(self.size_bytes);
        if stretch.start < end {
            self.poke(stretch.start, &vec![0; index(end - stretch.start)]);
        }
    }

    /// A digest of size and bytes: whether a page is missing or zero makes no difference.
    pub(super) fn digest(&self) -> u64 {
        let zero = digest_bytes(DIGEST_START, &[0; UNIT_BYTES]);
        let page_count = index(self.size_bytes.div_ceil(UNIT_BYTES as u64));
        (0..page_count).fold(digest_word(DIGEST_START, self.size_bytes), |digest, number| {
            let page = match self.pages.get(number) {
                Some(Some(page)) => digest_bytes(DIGEST_START, page),
                _ => zero,
            };
            digest_word(digest, page)
        })
    }
}

/// Folds bytes into a digest. For equality of runs, not against anyone's intent.
pub(super) fn digest_bytes(digest: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(digest, |digest, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        digest_word(digest, u64::from_le_bytes(word))
    })
}

pub(super) fn digest_word(digest: u64, word: u64) -> u64 {
    (digest.rotate_left(29) ^ word).wrapping_mul(DIGEST_FACTOR)
}

/// A byte or page count that fits into memory.
pub(super) fn index(count: u64) -> usize {
    usize::try_from(count).expect("fits in memory")
}
