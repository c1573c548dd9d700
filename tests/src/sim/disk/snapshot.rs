//! The durable state of a device, held without copying.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::content::Content;
use super::image::{Image, digest_bytes, digest_word, index};
use super::names::{Names, Node, Tree};

/// What a power loss would leave if none of the writes and names that are not durable had landed.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Directories have no image.
    entries: BTreeMap<PathBuf, Option<Image>>,
}

impl Snapshot {
    pub(super) fn of(names: &Names) -> Self {
        let entries = names.durable().iter().map(|(path, node)| {
            let image = match node {
                Node::Directory => None,
                Node::File(file) => Some(file.borrow().durable.clone()),
            };
            (path.clone(), image)
        });
        Self { entries: entries.collect() }
    }

    pub(super) fn to_names(&self) -> Names {
        let tree: Tree = self.entries.iter().map(|(path, image)| (path.clone(), node(image.as_ref()))).collect();
        Names::from_durable(tree)
    }

    /// A number that is the same for the same names and bytes, on every machine.
    pub fn digest(&self) -> u64 {
        self.entries.iter().fold(0, |digest, (path, image)| {
            let name = path.to_string_lossy();
            let digest = digest_bytes(digest_word(digest, name.len() as u64), name.as_bytes());
            digest_word(digest, image.as_ref().map_or(0, Image::digest))
        })
    }

    /// All files, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.entries.iter().filter(|(_, image)| image.is_some()).map(|(path, _)| path.as_path())
    }

    /// The size of a file, if it is there.
    pub fn size_bytes(&self, path: &Path) -> Option<u64> {
        self.entries.get(path)?.as_ref().map(Image::size_bytes)
    }

    /// All bytes of a file, if it is there.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let image = self.entries.get(path)?.as_ref()?;
        let mut bytes = vec![0; index(image.size_bytes())];
        image.read(0, &mut bytes);
        Some(bytes)
    }
}

fn node(image: Option<&Image>) -> Node {
    match image {
        None => Node::Directory,
        Some(image) => Node::File(Rc::new(RefCell::new(Content::from_durable(image)))),
    }
}
