//! A folder that keeps a server's objects for the next one: plain files, the key as the path.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What is being written; keys have no part that begins with a dot.
const SCRATCH: &str = ".being-written";

pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self(path.to_owned()))
    }

    /// All objects, as `bucket/key` and content.
    pub(super) fn objects(&self) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut found = Vec::new();
        let mut folders = vec![(String::new(), self.0.clone())];
        while let Some((prefix, folder)) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let key = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.file_type()?.is_dir() {
                    folders.push((format!("{key}/"), entry.path()));
                } else if key != SCRATCH {
                    found.push((key, fs::read(entry.path())?));
                }
            }
        }
        Ok(found)
    }

    /// Writes an object whole. The server's lock lets one write at a time.
    pub(super) fn write(&self, key: &str, body: &[u8]) -> io::Result<()> {
        let (scratch, path) = (self.0.join(SCRATCH), self.0.join(key));
        fs::write(&scratch, body)?;
        fs::create_dir_all(path.parent().unwrap_or(&self.0))?;
        fs::rename(scratch, path)
    }

    /// Removes an object, if it is there.
    pub(super) fn remove(&self, key: &str) -> io::Result<()> {
        match fs::remove_file(self.0.join(key)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there_for_the_next_server() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        folder.write("bucket/some/key", b"first").unwrap();
        folder.write("bucket/some/key", b"second").unwrap();
        folder.write("bucket/other", b"gone").unwrap();
        folder.remove("bucket/other").unwrap();
        folder.remove("bucket/other").unwrap();
        let kept = Folder::open(place.path()).unwrap().objects().unwrap();
        assert_eq!(kept, [("bucket/some/key".to_owned(), b"second".to_vec())]);
    }
}
