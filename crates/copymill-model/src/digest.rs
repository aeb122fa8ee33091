//! SHA-256 of model files, remembered.

use std::{fs, io::Read, path::Path};

use sha2::{Digest, Sha256};

use crate::ModelError;

/// SHA-256 of a file. Hashing gigabytes takes seconds, so results are remembered by path, size and time of change.
pub(crate) fn file_sha256(path: &Path, cache: &Path) -> Result<String, ModelError> {
    let failed = |source| ModelError::Io { action: "read", path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(failed)?;
    let changed = metadata.modified().map_err(failed)?;
    let absolute = fs::canonicalize(path).map_err(failed)?;
    let key = copymill_campaign::sha256_hex(
        format!("{}\0{}\0{changed:?}", absolute.display(), metadata.len()).as_bytes(),
    );
    let remembered = cache.join("sha256").join(key);
    if let Ok(digest) = fs::read_to_string(&remembered)
        && digest.len() == 64
    {
        return Ok(digest);
    }
    let digest = hash_file(path)?;
    // Not being able to remember costs time only.
    if let Some(folder) = remembered.parent() {
        let half = remembered.with_extension(std::process::id().to_string());
        let _ = fs::create_dir_all(folder)
            .and_then(|()| fs::write(&half, &digest))
            .and_then(|()| fs::rename(&half, &remembered));
    }
    Ok(digest)
}

/// SHA-256 of a file in hexadecimal.
pub(crate) fn hash_file(path: &Path) -> Result<String, ModelError> {
    let failed = |source| ModelError::Io { action: "read", path: path.to_owned(), source };
    let mut file = fs::File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hash.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_is_hashed_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        for content in ["one", "three"] {
            fs::write(&path, content).unwrap();
            assert_eq!(
                file_sha256(&path, &folder.path().join("cache")).unwrap(),
                copymill_campaign::sha256_hex(content.as_bytes())
            );
        }
    }
}
