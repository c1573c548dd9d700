//! The tree of names: as processes see it, as it would be after a power loss, and the changes between the two.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use florin_engine::io::DiskErrorKind;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::content::Content;

/// A file's contents, shared by its names, handles and pending writes.
pub(super) type SharedContent = Rc<RefCell<Content>>;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Directory,
    File(SharedContent),
}

pub(super) type Tree = BTreeMap<PathBuf, Node>;

/// A change that processes see and that is not durable yet.
#[derive(Clone, Debug)]
enum Change {
    Create { path: PathBuf, node: Node },
    Rename { from: PathBuf, to: PathBuf, file: SharedContent },
    Remove { path: PathBuf, file: SharedContent },
}

#[derive(Debug, Default)]
pub(super) struct Names {
    current: Tree,
    durable: Tree,
    /// In the order they were made.
    changes: Vec<Change>,
}

impl Names {
    /// Names that are all durable.
    pub(super) fn from_durable(durable: Tree) -> Self {
        Self { current: durable.clone(), durable, changes: Vec::new() }
    }

    pub(super) fn durable(&self) -> &Tree {
        &self.durable
    }

    /// Every file that has a durable name.
    pub(super) fn durable_files(&self) -> Vec<SharedContent> {
        let files = self.durable.values().filter_map(|node| match node {
            Node::Directory => None,
            Node::File(file) => Some(Rc::clone(file)),
        });
        files.collect()
    }

    pub(super) fn file(&self, path: &Path) -> Result<SharedContent, DiskErrorKind> {
        match self.current.get(path) {
            Some(Node::File(file)) => Ok(Rc::clone(file)),
            Some(Node::Directory) => Err(DiskErrorKind::Refused),
            None => Err(DiskErrorKind::NotFound),
        }
    }

    pub(super) fn create(&mut self, path: &Path, node: Node) -> Result<(), DiskErrorKind> {
        self.check_parent(path)?;
        if self.current.contains_key(path) || is_root(path) {
            return Err(DiskErrorKind::AlreadyExists);
        }
        self.make(Change::Create { path: path.to_path_buf(), node });
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<(), DiskErrorKind> {
        let file = self.file(from)?;
        self.check_parent(to)?;
        if matches!(self.current.get(to), Some(Node::Directory)) {
            return Err(DiskErrorKind::Refused);
        }
        if from != to {
            self.make(Change::Rename { from: from.to_path_buf(), to: to.to_path_buf(), file });
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> Result<(), DiskErrorKind> {
        let file = self.file(path)?;
        self.make(Change::Remove { path: path.to_path_buf(), file });
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> Result<Vec<String>, DiskErrorKind> {
        self.check_directory(path)?;
        let below = self.current.range::<Path, _>((Bound::Excluded(path), Bound::Unbounded));
        Ok(below
            .take_while(|(name, _)| name.starts_with(path))
            .filter(|(name, _)| name.parent() == Some(path))
            .filter_map(|(name, _)| name.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    /// Makes the changes in one directory durable; a rename counts where the new name is.
    pub(super) fn sync_directory(&mut self, path: &Path) -> Result<(), DiskErrorKind> {
        self.check_directory(path)?;
        let mut pending: Vec<Change> = Vec::new();
        for change in self.changes.drain(..) {
            if change.path().parent() != Some(path) {
                pending.push(change);
                continue;
            }
            // A name that is durable cannot be taken back by an older change of the same file elsewhere.
            if let Some(file) = change.file() {
                pending.retain(|older| !older.file().is_some_and(|other| Rc::ptr_eq(file, other)));
            }
            apply(&mut self.durable, &change);
        }
        self.changes = pending;
        Ok(())
    }

    /// Each change that was not synced has happened or not. Returns how many had not.
    pub(super) fn power_loss(&mut self, random: &mut ChaCha8Rng) -> u64 {
        let share = [0.0, 0.5, 0.5, 1.0][random.random_range(0..4)];
        let mut undone_count = 0;
        for change in std::mem::take(&mut self.changes) {
            if random.random_bool(share) {
                apply(&mut self.durable, &change);
            } else {
                undone_count += 1;
            }
        }
        self.drop_unreachable();
        self.current = self.durable.clone();
        undone_count
    }

    /// Removes a file as if it had never been there, whatever is synced.
    pub(super) fn delete(&mut self, path: &Path) {
        self.current.remove(path);
        self.durable.remove(path);
        self.changes.retain(|change| change.path() != path);
    }

    /// Sum of the sizes of all files that have a name.
    pub(super) fn used_bytes(&self) -> u64 {
        let sizes = self.current.values().map(|node| match node {
            Node::Directory => 0,
            Node::File(file) => file.borrow().current.size_bytes(),
        });
        sizes.sum()
    }

    fn make(&mut self, change: Change) {
        apply(&mut self.current, &change);
        self.changes.push(change);
    }

    fn check_parent(&self, path: &Path) -> Result<(), DiskErrorKind> {
        self.check_directory(path.parent().unwrap_or(path))
    }

    fn check_directory(&self, path: &Path) -> Result<(), DiskErrorKind> {
        match self.current.get(path) {
            Some(Node::Directory) => Ok(()),
            Some(Node::File(_)) => Err(DiskErrorKind::Refused),
            None if is_root(path) => Ok(()),
            None => Err(DiskErrorKind::NotFound),
        }
    }

    /// What lies in a directory that did not survive has not survived either.
    fn drop_unreachable(&mut self) {
        let mut reachable = Tree::new();
        // Parents come before their children in the order of paths.
        for (path, node) in std::mem::take(&mut self.durable) {
            let parent = path.parent().unwrap_or(&path);
            if is_root(parent) || matches!(reachable.get(parent), Some(Node::Directory)) {
                reachable.insert(path, node);
            }
        }
        self.durable = reachable;
    }
}

impl Change {
    /// The name whose directory has to be synced.
    fn path(&self) -> &Path {
        match self {
            Self::Create { path, .. } | Self::Remove { path, .. } => path,
            Self::Rename { to, .. } => to,
        }
    }

    /// The file that is named, unless it is a directory.
    fn file(&self) -> Option<&SharedContent> {
        match self {
            Self::Create { node: Node::File(file), .. } | Self::Rename { file, .. } | Self::Remove { file, .. } => {
                Some(file)
            }
            Self::Create { node: Node::Directory, .. } => None,
        }
    }
}

/// Makes one change, also if those before it were not made: no file ever has two names.
fn apply(tree: &mut Tree, change: &Change) {
    match change {
        Change::Create { path, node } => {
            tree.insert(path.clone(), node.clone());
        }
        Change::Rename { from, to, file } => {
            if tree.get(from).is_some_and(|node| is_file(node, file)) {
                tree.remove(from);
            } else {
                tree.retain(|_, node| !is_file(node, file));
            }
            tree.insert(to.clone(), Node::File(Rc::clone(file)));
        }
        Change::Remove { path, file } => {
            if tree.get(path).is_some_and(|node| is_file(node, file)) {
                tree.remove(path);
            }
        }
    }
}

fn is_file(node: &Node, file: &SharedContent) -> bool {
    matches!(node, Node::File(other) if Rc::ptr_eq(other, file))
}

fn is_root(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new("/")
}
