//! What a disk in memory holds: a tree of names, and files as shared pages, so that a copy costs little.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The unit in which pages are shared.
pub const PAGE_BYTES: usize = 4096;
/// The number of the root directory.
pub const ROOT: Number = Number(1);

/// The number of a file or directory; none is used twice on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub u64);

/// What a number stands for.
#[derive(Clone, Debug)]
pub enum Node {
    /// Names, and what they stand for.
    Directory(BTreeMap<String, Number>),
    /// Bytes.
    File(Contents),
}

/// A file's bytes; pages that are missing read as zero.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    pages: BTreeMap<usize, Arc<[u8; PAGE_BYTES]>>,
    size_bytes: usize,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory.
    pub directory: Number,
    /// The name.
    pub name: String,
}

/// Files and directories.
#[derive(Clone, Debug)]
pub struct Image {
    nodes: BTreeMap<Number, Node>,
    next: u64,
}

impl Default for Image {
    fn default() -> Self {
        Self { nodes: BTreeMap::from([(ROOT, Node::Directory(BTreeMap::new()))]), next: ROOT.0 + 1 }
    }
}

impl Contents {
    /// How long it is.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// What it takes, in whole pages.
    pub fn used_bytes(&self) -> usize {
        self.size_bytes.next_multiple_of(PAGE_BYTES)
    }

    /// Sets the size. What is cut off is gone, what is added reads as zero.
    pub fn resize(&mut self, size_bytes: usize) {
        if size_bytes < self.size_bytes {
            drop(self.pages.split_off(&size_bytes.div_ceil(PAGE_BYTES)));
            if let Some(page) = self.pages.get_mut(&(size_bytes / PAGE_BYTES)) {
                Arc::make_mut(page)[size_bytes % PAGE_BYTES..].fill(0);
            }
        }
        self.size_bytes = size_bytes;
    }

    /// Puts bytes in place; the file grows if they end behind its end.
    pub fn write(&mut self, mut at: usize, mut bytes: &[u8]) {
        self.size_bytes = self.size_bytes.max(at + bytes.len());
        while !bytes.is_empty() {
            let start = at % PAGE_BYTES;
            let (part, rest) = bytes.split_at(bytes.len().min(PAGE_BYTES - start));
            let page = self.pages.entry(at / PAGE_BYTES).or_insert_with(|| Arc::new([0; PAGE_BYTES]));
            Arc::make_mut(page)[start..start + part.len()].copy_from_slice(part);
            (at, bytes) = (at + part.len(), rest);
        }
    }

    /// As many bytes as there are from a place on, and no more than asked for.
    pub fn read(&self, at: usize, bytes: usize) -> Vec<u8> {
        let end = at.saturating_add(bytes).min(self.size_bytes);
        let mut read = vec![0; end.saturating_sub(at)];
        let mut done = 0;
        while done < read.len() {
            let start = (at + done) % PAGE_BYTES;
            let count = (read.len() - done).min(PAGE_BYTES - start);
            if let Some(page) = self.pages.get(&((at + done) / PAGE_BYTES)) {
                read[done..done + count].copy_from_slice(&page[start..start + count]);
            }
            done += count;
        }
        read
    }
}

impl Image {
    /// A number that nothing has.
    pub fn fresh_number(&mut self) -> Number {
        self.next += 1;
        Number(self.next - 1)
    }

    /// What a number stands for.
    pub fn node(&self, number: Number) -> Option<&Node> {
        self.nodes.get(&number)
    }

    /// A file's bytes.
    pub fn file(&self, number: Number) -> Option<&Contents> {
        match self.nodes.get(&number) {
            Some(Node::File(contents)) => Some(contents),
            Some(Node::Directory(_)) | None => None,
        }
    }

    /// A file's bytes, to be changed.
    pub fn file_mut(&mut self, number: Number) -> Option<&mut Contents> {
        match self.nodes.get_mut(&number) {
            Some(Node::File(contents)) => Some(contents),
            Some(Node::Directory(_)) | None => None,
        }
    }

    /// The names in a directory.
    pub fn directory(&self, number: Number) -> Option<&BTreeMap<String, Number>> {
        match self.nodes.get(&number) {
            Some(Node::Directory(names)) => Some(names),
            Some(Node::File(_)) | None => None,
        }
    }

    fn directory_mut(&mut self, number: Number) -> Option<&mut BTreeMap<String, Number>> {
        match self.nodes.get_mut(&number) {
            Some(Node::Directory(names)) => Some(names),
            Some(Node::File(_)) | None => None,
        }
    }

    /// What a name stands for.
    pub fn lookup(&self, place: &Place) -> Option<Number> {
        self.directory(place.directory)?.get(&place.name).copied()
    }

    /// Lets a number stand for something, under no name.
    pub fn insert(&mut self, number: Number, node: Node) {
        self.next = self.next.max(number.0 + 1);
        self.nodes.entry(number).or_insert(node);
    }

    /// Gives a number a name, in place of whatever had it.
    pub fn enter(&mut self, place: &Place, number: Number) {
        if let Some(names) = self.directory_mut(place.directory) {
            names.insert(place.name.clone(), number);
        }
    }

    /// Takes a name away if it stands for this number.
    pub fn leave(&mut self, place: &Place, number: Number) {
        if let Some(names) = self.directory_mut(place.directory)
            && names.get(&place.name) == Some(&number)
        {
            names.remove(&place.name);
        }
    }

    /// Takes all names of a number away: a file that is moved has one name before and one after.
    pub fn leave_everywhere(&mut self, number: Number) {
        for node in self.nodes.values_mut() {
            if let Node::Directory(names) = node {
                names.retain(|_, named| *named != number);
            }
        }
    }

    /// Whether some name stands for a number.
    pub fn is_named(&self, number: Number) -> bool {
        self.nodes.values().any(|node| match node {
            Node::Directory(names) => names.values().any(|named| *named == number),
            Node::File(_) => false,
        })
    }

    /// Forgets what nobody can reach any more.
    pub fn forget(&mut self, number: Number) {
        self.nodes.remove(&number);
    }

    /// Forgets everything that no name leads to.
    pub fn drop_unreachable(&mut self) {
        let (mut reached, mut left) = (BTreeSet::from([ROOT]), vec![ROOT]);
        while let Some(number) = left.pop() {
            let names = self.directory(number).into_iter().flat_map(BTreeMap::values).copied();
            left.extend(names.filter(|number| reached.insert(*number)));
        }
        self.nodes.retain(|number, _| reached.contains(number));
    }

    /// What all files take, in whole pages.
    pub fn used_bytes(&self) -> usize {
        let sizes = self.nodes.values().map(|node| match node {
            Node::Directory(_) => 0,
            Node::File(contents) => contents.used_bytes(),
        });
        sizes.sum()
    }

    /// Writes everything to a directory that exists, for somebody to look at.
    ///
    /// # Errors
    /// If that fails.
    #[allow(clippy::disallowed_methods, reason = "what is kept of a failure goes to a real disk")]
    pub fn export(&self, number: Number, to: &Path) -> io::Result<()> {
        for (name, number) in self.directory(number).into_iter().flatten() {
            let path = to.join(name);
            match self.node(*number) {
                Some(Node::Directory(_)) => {
                    std::fs::create_dir(&path)?;
                    self.export(*number, &path)?;
                }
                Some(Node::File(contents)) => std::fs::write(&path, contents.read(0, contents.size_bytes))?,
                None => {}
            }
        }
        Ok(())
    }
}
