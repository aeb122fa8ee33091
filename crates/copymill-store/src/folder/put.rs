//! Writing and removing one object, atomically between processes.
//!
//! A body is written and synced under a name of its own first. Only then, under the folder's lock, is the condition
//! looked at and the file renamed into place: nobody sees half an object, and one writer wins.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{absent_as_none, hex, scratch};
use crate::store::{Condition, Put};

/// Bytes of a large object that are in memory at once.
const PIECE_BYTES: usize = 1 << 20;

/// Writes what `body` gives at `key` beneath `root` where the condition holds, and returns once it is durable.
pub(super) fn put(root: &Path, key: &Path, body: impl Read, condition: &Condition) -> io::Result<Put> {
    let path = root.join(key);
    let directory = path.parent().unwrap_or(root);
    create_directories(directory)?;
    let mut file = scratch::create(root)?;
    let new_etag = copy_hashed(body, file.as_file_mut())?;
    file.as_file().sync_all()?;

    let lock = scratch::lock(root)?;
    if path.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "there are objects beneath this key"));
    }
    let stored = match condition {
        Condition::Always => file.persist(&path).map(|_| true),
        // The lock would do among Copymill's own processes; not replacing also holds against everyone else.
        Condition::IfAbsent => match file.persist_noclobber(&path) {
            Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            other => other.map(|_| true),
        },
        Condition::IfMatch(etag) => match absent_as_none(File::open(&path))? {
            Some(current) if copy_hashed(&current, &mut io::sink())? == *etag => {
                file.persist(&path).map(|_| true)
            }
            _ => Ok(false),
        },
    }?;
    drop(lock);

    // Also after a refusal: the caller relies on the object that was there first, whose writer may not have come
    // this far yet. An error is no longer "nothing was written", so a full disk must not be reported as one.
    sync_directory(directory).map_err(io::Error::other)?;
    Ok(if stored { Put::Stored(new_etag) } else { Put::Refused })
}

/// Copies everything and returns the ETag of what was copied.
fn copy_hashed(mut from: impl Read, to: &mut impl Write) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(hex(&hash.finalize())),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&piece[..read]);
        to.write_all(&piece[..read])?;
    }
}

/// Removes the object at `key` beneath `root`; a missing one is success.
pub(super) fn delete(root: &Path, key: &Path) -> io::Result<()> {
    let path = root.join(key);
    if !path.exists() || path.is_dir() {
        return Ok(());
    }
    let lock = scratch::lock(root)?;
    absent_as_none(fs::remove_file(&path))?;
    drop(lock);
    sync_directory(path.parent().unwrap_or(root))
}

/// Creates a directory and those above it, each durable before anything is put in it.
fn create_directories(directory: &Path) -> io::Result<()> {
    if directory.is_dir() || directory.as_os_str().is_empty() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(Path::new(""));
    create_directories(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_directory(parent)
}

/// Makes what was created or removed in a directory durable.
fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // Some network and user-space file systems know no sync of a directory; there is nothing better to do.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}
