//! The disk as the kernel asks for it, through FUSE.

use std::ffi::OsStr;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::answers::Answers;
use super::disk::{Disk, Refused};
use super::image::{Image, Node, Number, PAGE_BYTES, Place};
use super::record::Change;

/// How long the kernel may keep what it was told: nobody but the kernel changes anything.
const KEPT_FOR: Duration = Duration::from_secs(60);
const NAME_BYTES_MAX: u32 = 255;
/// Every read and write comes to the disk, with its flags, and writes of one file do not wait for each other.
const OPENED: FopenFlags = FopenFlags::FOPEN_DIRECT_IO.union(FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES);
/// A write is on stable storage when it is reported.
const DURABLE: i32 = rustix::fs::OFlags::DSYNC.bits().cast_signed();

/// A disk that is mounted.
#[derive(Debug)]
pub(super) struct Files {
    disk: Disk,
    answers: Answers,
}

fn errno(refused: Refused) -> Errno {
    match refused {
        Refused::NotFound => Errno::ENOENT,
        Refused::Exists => Errno::EEXIST,
        Refused::IsDirectory => Errno::EISDIR,
        Refused::NotDirectory => Errno::ENOTDIR,
        Refused::NotEmpty => Errno::ENOTEMPTY,
        Refused::NoSpace => Errno::ENOSPC,
        Refused::Unsupported => Errno::EOPNOTSUPP,
    }
}

fn number(inode: INodeNo) -> Number {
    Number(inode.0)
}

fn place(parent: INodeNo, name: &OsStr) -> Place {
    Place { directory: number(parent), name: name.to_string_lossy().into_owned() }
}

fn bytes(count: u64) -> usize {
    usize::try_from(count).expect("it fits in memory")
}

fn kind(node: &Node) -> FileType {
    match node {
        Node::Directory(_) => FileType::Directory,
        Node::File(_) => FileType::RegularFile,
    }
}

fn attributes(image: &Image, number: Number) -> Option<FileAttr> {
    let node = image.node(number)?;
    let size = match node {
        Node::Directory(_) => 0,
        Node::File(contents) => contents.size_bytes() as u64,
    };
    let time = SystemTime::UNIX_EPOCH;
    Some(FileAttr {
        ino: INodeNo(number.0),
        size,
        blocks: size.div_ceil(512),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind: kind(node),
        perm: if matches!(node, Node::Directory(_)) { 0o750 } else { 0o640 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: u32::try_from(PAGE_BYTES).expect("it is small"),
        flags: 0,
    })
}

impl Files {
    pub(super) fn new(disk: Disk, seed: u64) -> Self {
        Self { answers: Answers::new(disk.clone(), seed), disk }
    }

    /// Makes a change and answers it later.
    fn change(&self, change: Change, reply: ReplyEmpty) {
        self.done(self.disk.begin(change), reply);
    }

    fn done(&self, begun: Result<usize, Refused>, reply: ReplyEmpty) {
        match begun {
            Ok(index) => self.answers.later(index, move || reply.ok()),
            Err(refused) => reply.error(errno(refused)),
        }
    }

    fn attributes(&self, number: Number) -> Option<FileAttr> {
        self.disk.look(|image| attributes(image, number))
    }
}

impl Filesystem for Files {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let place = place(parent, name);
        match self.disk.look(|image| attributes(image, image.lookup(&place)?)) {
            Some(attributes) => reply.entry(&KEPT_FOR, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(number(inode)) {
            Some(attributes) => reply.attr(&KEPT_FOR, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let file = number(inode);
        let resized = size.map(|size| self.disk.begin(Change::Resize { file, bytes: bytes(size) })).transpose();
        match (resized, self.attributes(file)) {
            (Ok(None), Some(attributes)) => reply.attr(&KEPT_FOR, &attributes),
            (Ok(Some(index)), Some(attributes)) => {
                self.answers.later(index, move || reply.attr(&KEPT_FOR, &attributes));
            }
            (Err(refused), _) => reply.error(errno(refused)),
            (Ok(_), None) => reply.error(Errno::ENOENT),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _mode: u32, _umask: u32, reply: ReplyEntry) {
        match self.disk.make(place(parent, name), true) {
            Ok((index, number)) => {
                let attributes = self.attributes(number).expect("it was made");
                self.answers.later(index, move || reply.entry(&KEPT_FOR, &attributes, Generation(0)));
            }
            Err(refused) => reply.error(errno(refused)),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.done(self.disk.remove(place(parent, name), false), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.done(self.disk.remove(place(parent, name), true), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let begun = if flags.is_empty() {
            self.disk.rename(place(parent, name), place(new_parent, new_name))
        } else {
            Err(Refused::Unsupported)
        };
        self.done(begun, reply);
    }

    fn open(&self, _: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.disk.opened(number(inode));
        reply.opened(FileHandle(0), OPENED);
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.disk.make(place(parent, name), false) {
            Ok((index, number)) => {
                self.disk.opened(number);
                let attributes = self.attributes(number).expect("it was made");
                self.answers.later(index, move || {
                    reply.created(&KEPT_FOR, &attributes, Generation(0), FileHandle(0), OPENED);
                });
            }
            Err(refused) => reply.error(errno(refused)),
        }
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.disk.look(|image| Some(image.file(number(inode))?.read(bytes(offset), size as usize)));
        match read {
            Some(read) => reply.data(&read),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let is_durable = flags.0 & DURABLE != 0;
        let change = Change::Write { file: number(inode), at: bytes(offset), bytes: data.into(), is_durable };
        let written = u32::try_from(data.len()).expect("the kernel asks for less");
        match self.disk.begin(change) {
            Ok(index) => self.answers.later(index, move || reply.written(written)),
            Err(refused) => reply.error(errno(refused)),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let (file, end) = (number(inode), bytes(offset + length));
        match self.disk.look(|image| Some(image.file(file)?.size_bytes())) {
            None => reply.error(Errno::ENOENT),
            Some(_) if mode != 0 => reply.error(Errno::EOPNOTSUPP),
            Some(size) if size >= end => reply.ok(),
            Some(_) => self.change(Change::Resize { file, bytes: end }, reply),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.disk.closed(number(inode));
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        self.change(Change::Sync(number(inode)), reply);
    }

    fn fsyncdir(&self, _: &Request, inode: INodeNo, _: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        self.change(Change::SyncDirectory(number(inode)), reply);
    }

    fn readdir(&self, _: &Request, inode: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listed = self.disk.look(|image| {
            let names = image.directory(number(inode))?;
            let entry = |(name, number): (&String, &Number)| Some((*number, kind(image.node(*number)?), name.clone()));
            Some(names.iter().filter_map(entry).collect::<Vec<_>>())
        });
        let Some(listed) = listed else { return reply.error(Errno::ENOTDIR) };
        // The kernel does not look at where `..` leads.
        let own = [".", ".."].map(|name| (number(inode), FileType::Directory, name.to_owned()));
        for (next, (number, kind, name)) in (1..).zip(own.into_iter().chain(listed)).skip(bytes(offset)) {
            if reply.add(INodeNo(number.0), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let (all, free) = self.disk.pages();
        let page_bytes = u32::try_from(PAGE_BYTES).expect("it is small");
        reply.statfs(all, free, free, 1 << 20, 1 << 20, page_bytes, NAME_BYTES_MAX, page_bytes);
    }
}
