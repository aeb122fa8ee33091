//! The folder's `.tmp`: bodies that are being written, and the lock that orders changes between processes.
//!
//! A writer holds an advisory lock on its temporary file, and the system drops it when the process ends, however it
//! ends. So a file that can be locked has no writer; unlike a process id, that also holds between containers.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

/// The folder beneath the root that is no part of any key.
const FOLDER: &str = ".tmp";
const LOCK: &str = "lock";
const BODY_PREFIX: &str = "put-";

/// Younger files are left alone: their writer may be about to lock them.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// The access of new objects before the user's umask: what any program's files get.
const FILE_MODE: u32 = 0o666;

/// Creates a temporary file that is locked while it is written and removed when it is dropped.
pub(super) fn create(root: &Path) -> io::Result<NamedTempFile> {
    let folder = create_folder(root)?;
    let file = tempfile::Builder::new()
        .prefix(BODY_PREFIX)
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(folder)?;
    file.as_file().lock()?;
    Ok(file)
}

/// Waits for the right to change objects; it ends when the file is dropped.
pub(super) fn lock(root: &Path) -> io::Result<File> {
    let path = create_folder(root)?.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Removes temporary files whose writer is gone; what cannot be removed is left and logged.
pub(super) fn remove_stale(root: &Path) {
    let Ok(entries) = fs::read_dir(root.join(FOLDER)) else { return };
    for entry in entries.flatten() {
        let is_body = entry.file_name().to_string_lossy().starts_with(BODY_PREFIX);
        if !is_body {
            continue;
        }
        match remove_if_stale(&entry.path()) {
            Ok(true) => {
                tracing::info!(file = %entry.path().display(), "removed what an interrupted write left")
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(file = %entry.path().display(), %error, "could not remove a stale file")
            }
        }
    }
}

fn remove_if_stale(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    // A clock that went backwards makes a file young, which is the safe side.
    let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
    if age < STALE_AFTER || file.try_lock().is_err() {
        return Ok(false);
    }
    fs::remove_file(path)?;
    Ok(true)
}

fn create_folder(root: &Path) -> io::Result<PathBuf> {
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
