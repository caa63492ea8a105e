//! The file of the spool: who may open it, and what is said when it cannot be.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageError};

/// Its name in the directory.
const NAME: &str = "spool.redb";
/// Its name until it is whole, so that an end of the process or of the disk's room in between leaves nothing that looks
/// like a damaged file full of mail.
const UNFINISHED: &str = "spool.redb.new";
/// For its owner alone: it holds people's mail.
const MODE: u32 = 0o600;
/// Memory for pages of the file. Each is written once and read once, soon after, so that more would be of no use.
const CACHE: usize = 16 * 1024 * 1024;

/// Why the spool cannot be opened, as what is said of the setting.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotOpen {
    #[error("names {}, which is no directory; make it, or mount its volume", .0.display())]
    NoDirectory(PathBuf),
    #[error("names {}, which another process uses; each process needs a directory of its own", .0.display())]
    InUse(PathBuf),
    #[error("names {}, which cannot be used: {fault}", .path.display())]
    Unusable { path: PathBuf, fault: String },
    #[error(
        "names a directory whose {} is damaged: {fault}; move that file away to start without what it holds, and keep \
         it: all of it was accepted, and has not been sent",
        .path.display()
    )]
    Damaged { path: PathBuf, fault: String },
}

/// Where the file is.
pub(super) struct File {
    dir: PathBuf,
}

impl File {
    pub(super) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Opens the file, or makes it. Every page is checked, since the store trusts what it reads later.
    pub(super) fn open(&self) -> Result<Database, CannotOpen> {
        if !self.dir.is_dir() {
            return Err(CannotOpen::NoDirectory(self.dir.clone()));
        }
        let (path, unfinished) = (self.dir.join(NAME), self.dir.join(UNFINISHED));
        let unusable = |fault: io::Error| self.unusable(&fault);
        // One that an earlier process did not get done with holds nothing.
        match fs::remove_file(&unfinished) {
            Err(fault) if fault.kind() != ErrorKind::NotFound => return Err(unusable(fault)),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(MODE);
        if path.try_exists().map_err(unusable)? {
            let file = options.open(&path).map_err(unusable)?;
            // One that was copied here may be open to others.
            file.set_permissions(Permissions::from_mode(MODE)).map_err(unusable)?;
            // The process that made it may have ended before its name was durable.
            self.keep_names().map_err(unusable)?;
            return self.database(file);
        }
        let file = options.create_new(true).open(&unfinished).map_err(unusable)?;
        let made = file.metadata().map_err(unusable)?.ino();
        let database = self.database(file)?;
        // A link and no renaming, which would take the name from a file that another process made meanwhile.
        match fs::hard_link(&unfinished, &path) {
            Err(fault) if fault.kind() != ErrorKind::AlreadyExists => return Err(unusable(fault)),
            _ => {}
        }
        if fs::metadata(&path).map_err(unusable)?.ino() != made {
            return Err(CannotOpen::InUse(self.dir.clone()));
        }
        fs::remove_file(&unfinished).map_err(unusable)?;
        self.keep_names().map_err(unusable)?;
        Ok(database)
    }

    /// The name of a file is durable only when its directory is.
    fn keep_names(&self) -> io::Result<()> {
        fs::File::open(&self.dir)?.sync_all()
    }

    /// The store in this file, which is made where the file is empty.
    fn database(&self, file: fs::File) -> Result<Database, CannotOpen> {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
        // The store may panic over a damaged file; its own words are in the log then.
        let opened = catch_unwind(AssertUnwindSafe(|| builder.create_with_backend(FileBackend::new(file)?)));
        let opened = opened.unwrap_or_else(|_| {
            Err(DatabaseError::Storage(StorageError::Corrupted("it is not what was written".to_owned())))
        });
        opened.map_err(|fault| self.told(fault))
    }

    fn unusable(&self, fault: &io::Error) -> CannotOpen {
        CannotOpen::Unusable { path: self.dir.join(NAME), fault: fault.to_string() }
    }

    fn told(&self, fault: DatabaseError) -> CannotOpen {
        match fault {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                CannotOpen::InUse(self.dir.clone())
            }
            DatabaseError::Storage(StorageError::Io(fault))
                if !matches!(fault.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
            {
                self.unusable(&fault)
            }
            fault => CannotOpen::Damaged { path: self.dir.join(NAME), fault: fault.to_string() },
        }
    }
}
