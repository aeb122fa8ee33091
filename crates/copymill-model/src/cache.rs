//! Models that were fetched from buckets and the hub: kept in a folder within a limit, the least recently used ones removed first.
//!
//! Processes that share the folder agree by locks that the system drops when a process ends: whoever fetches holds
//! `fetching.lock`, and whoever uses a model holds a shared lock on its file, so that nobody removes it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use copymill_store::{Version, free_bytes};
use tempfile::TempPath;

use crate::{ModelError, digest::hash_file, locate::check_sha256, remote::Remote};

/// Bytes of fetched models that are kept where nobody says otherwise.
pub const CACHE_BYTES: u64 = 64 << 30;

/// Below the cache folder; nothing else is in it.
const FOLDER: &str = "fetched";
const FETCHING: &str = "fetching.lock";
/// How often a process looks whether another one has done fetching.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Hexadecimal digits of a file's name that say which content it has.
const ID_DIGITS: usize = 24;
const NAME_CHARS_MAX: usize = 64;

/// The folder with fetched models.
pub(crate) struct ModelCache {
    folder: PathBuf,
    limit: u64,
}

/// A model that is there and stays as long as it is held.
pub(crate) struct Held {
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    /// Its lock.
    pub(crate) held: File,
}

/// A model of the folder that could be removed.
struct Kept {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl ModelCache {
    pub(crate) fn new(cache: &Path, limit: u64) -> Self {
        Self { folder: cache.join(FOLDER), limit }
    }

    /// Returns a model, fetching it where the folder does not have what is there now. Where its checksum is known and the
    /// folder has it, nobody is asked.
    pub(crate) async fn take(
        &self,
        remote: &Remote,
        expected_sha256: Option<&str>,
    ) -> Result<Held, ModelError> {
        fs::create_dir_all(&self.folder).map_err(|source| self.failed("create", &self.folder, source))?;
        if let Some(held) = self.known(expected_sha256) {
            return Ok(held);
        }
        let version = match remote.look().await {
            Err(error) if error.may_pass() => return self.latest(remote, expected_sha256, error),
            looked => looked?,
        };
        let path = self.folder.join(file_name(remote.address(), &version.etag));
        loop {
            if let Some(held) = hold(&path).map_err(|source| self.failed("use", &path, source))? {
                check_sha256(&path, &held.sha256, expected_sha256)?;
                return Ok(held);
            }
            let alone = self.lock_fetching().await?;
            if !path.exists() {
                self.fetch((remote, &version), &path, expected_sha256, alone).await?;
            }
        }
    }

    /// A model of this checksum, whatever its address.
    fn known(&self, sha256: Option<&str>) -> Option<Held> {
        let sha256 = sha256?.to_ascii_lowercase();
        let is_it = |kept: &Kept| Noted::of(&kept.path).is_some_and(|noted| noted.sha256 == sha256);
        let known = self.kept().ok()?.into_iter().find(is_it)?;
        hold(&known.path).ok().flatten()
    }

    /// The model of this address that was fetched last, where nobody says which one is there now.
    fn latest(
        &self,
        remote: &Remote,
        expected_sha256: Option<&str>,
        why: ModelError,
    ) -> Result<Held, ModelError> {
        let of_address =
            |kept: &Kept| Noted::of(&kept.path).is_some_and(|noted| noted.address == remote.address());
        let fetched = |kept: &Kept| fs::metadata(&kept.path).and_then(|found| found.modified()).ok();
        let kept = self.kept().ok().into_iter().flatten().filter(of_address).max_by_key(fetched);
        let Some(held) = kept.and_then(|kept| hold(&kept.path).ok().flatten()) else { return Err(why) };
        check_sha256(&held.path, &held.sha256, expected_sha256)?;
        tracing::warn!(model = remote.address(), error = %why, "the model that was fetched before is used");
        Ok(held)
    }

    async fn fetch(
        &self,
        (remote, version): (&Remote, &Version),
        path: &Path,
        expected_sha256: Option<&str>,
        alone: File,
    ) -> Result<(), ModelError> {
        self.remove_parts();
        self.make_room(remote.address(), version.bytes)?;
        tracing::info!(model = remote.address(), bytes = version.bytes, "fetching a model");
        // Removed when it is dropped, whatever happens; what a killed process leaves, the next one that fetches removes.
        let part = TempPath::try_from_path(path.with_extension("part"))
            .map_err(|source| self.failed("write", path, source))?;
        let _alone = remote.fetch(version, &part, alone).await?;
        let sha256 = hash_file(&part)?;
        check_sha256(path, &sha256, expected_sha256)?;
        let noted = Noted { sha256, address: remote.address().to_owned() };
        let written = File::open(&part)
            .and_then(|file| file.sync_all())
            .and_then(|()| noted.write(path))
            .and_then(|()| part.persist(path).map_err(|error| error.error));
        written.map_err(|source| self.failed("write", path, source))
    }

    /// Removes models that nobody uses, the least recently used first, until so many bytes fit.
    fn make_room(&self, address: &str, bytes: u64) -> Result<(), ModelError> {
        let mut kept = self.kept().map_err(|source| self.failed("look through", &self.folder, source))?;
        kept.sort_by_key(|model| model.used);
        let mut held: u64 = kept.iter().map(|model| model.bytes).sum();
        let fits = |held: u64| {
            let has_space = free_bytes(&self.folder).is_none_or(|free| free >= bytes);
            held.saturating_add(bytes) <= self.limit && has_space
        };
        if bytes <= self.limit {
            for model in kept {
                if fits(held) {
                    return Ok(());
                }
                if remove_unused(&model.path).map_err(|source| self.failed("remove", &model.path, source))? {
                    tracing::info!(model = %model.path.display(), bytes = model.bytes, "removed a model to make room");
                    held -= model.bytes;
                }
            }
        }
        if held.saturating_add(bytes) <= self.limit {
            return Ok(());
        }
        let in_use = if held > 0 { format!(", {held} of which are in use") } else { String::new() };
        Err(ModelError::NoPlace {
            address: address.to_owned(),
            bytes,
            folder: self.folder.display().to_string(),
            limit: self.limit,
            in_use,
        })
    }

    /// Models that were fetched; what else lies in the folder is nobody's to remove.
    fn kept(&self) -> io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if !is_ours(&path, "gguf") {
                continue;
            }
            let found = fs::metadata(&path)?;
            let used = fs::metadata(digest_path(&path)).and_then(|digest| digest.modified());
            kept.push(Kept { bytes: found.len(), used: used.unwrap_or(SystemTime::UNIX_EPOCH), path });
        }
        Ok(kept)
    }

    /// Removes what processes left that were killed while they fetched.
    fn remove_parts(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let removed = match () {
                () if is_ours(&path, "part") => fs::remove_file(&path),
                // Where the hub's library works.
                () if is_ours(&path, "hub") => fs::remove_dir_all(&path),
                () => continue,
            };
            if let Err(error) = removed {
                tracing::warn!(file = %path.display(), %error, "half a model could not be removed");
            }
        }
    }

    /// Waits until nobody else fetches into the folder.
    async fn lock_fetching(&self) -> Result<File, ModelError> {
        let path = self.folder.join(FETCHING);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| self.failed("open", &path, source))?;
        let mut is_said = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => return Err(self.failed("lock", &path, source)),
                Err(TryLockError::WouldBlock) if !is_said => {
                    tracing::info!(folder = %self.folder.display(), "waiting for a process that fetches a model");
                    is_said = true;
                }
                Err(TryLockError::WouldBlock) => {}
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn failed(&self, action: &'static str, path: &Path, source: io::Error) -> ModelError {
        ModelError::Io { action, path: path.to_owned(), source }
    }
}

/// Holds a model that is there, and notes that it was used now.
fn hold(path: &Path) -> io::Result<Option<Held>> {
    let held = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    held.lock_shared()?;
    // Somebody may have removed it between the two calls; the lock is then on a file without a name.
    let ours = held.metadata()?;
    if !fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (ours.dev(), ours.ino())) {
        return Ok(None);
    }
    let noted = match Noted::of(path) {
        Some(noted) => noted,
        None => Noted { sha256: hash_file(path).map_err(io::Error::other)?, address: String::new() },
    };
    noted.write(path)?;
    Ok(Some(Held { path: path.to_owned(), sha256: noted.sha256, held }))
}

/// What is known of a model, in a file beside it; that file's time of change is when the model was used last.
struct Noted {
    sha256: String,
    /// Where it came from; empty where that is not known any more.
    address: String,
}

impl Noted {
    fn of(model: &Path) -> Option<Self> {
        let text = fs::read_to_string(digest_path(model)).ok()?;
        let mut lines = text.lines().map(str::to_owned);
        let sha256 = lines.next().filter(|digest| digest.len() == 64)?;
        Some(Self { sha256, address: lines.next().unwrap_or_default() })
    }

    fn write(&self, model: &Path) -> io::Result<()> {
        fs::write(digest_path(model), format!("{}\n{}\n", self.sha256, self.address))
    }
}

/// Removes a model unless a process uses it.
fn remove_unused(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    fs::remove_file(path)?;
    match fs::remove_file(digest_path(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(true),
    }
}

/// The file that remembers a model's SHA-256 and address.
fn digest_path(model: &Path) -> PathBuf {
    model.with_extension("sha256")
}

/// A name that says which content of which object a file has.
fn file_name(address: &str, etag: &str) -> String {
    let id = copymill_campaign::sha256_hex(format!("{address}\0{etag}").as_bytes());
    let last = address.rsplit('/').next().unwrap_or_default().trim_end_matches(".gguf");
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let shown: String = last.chars().map(plain).take(NAME_CHARS_MAX).collect();
    format!("{}-{shown}.gguf", &id[..ID_DIGITS])
}

/// Whether a file has a name that [`file_name`] makes, but for its ending.
fn is_ours(path: &Path, ending: &str) -> bool {
    let is_id = |id: &str| id.len() == ID_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let has_ending = path.extension().is_some_and(|extension| extension == ending);
    has_ending && stem.split_once('-').is_some_and(|(id, _)| is_id(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 100;

    struct Fixture {
        folder: tempfile::TempDir,
        cache: ModelCache,
    }

    /// A cache with models of 40 bytes, the first of which was used longest ago.
    fn fixture(models: &[&str]) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let cache = ModelCache::new(folder.path(), LIMIT);
        fs::create_dir_all(&cache.folder).unwrap();
        let fixture = Fixture { folder, cache };
        for (age, name) in (1..=models.len()).rev().zip(models) {
            fs::write(fixture.model(name), [b'm'; 40]).unwrap();
            let noted = File::create(digest_path(&fixture.model(name))).unwrap();
            let hours = Duration::from_secs(3_600 * age as u64);
            noted.set_modified(SystemTime::now() - hours).unwrap();
        }
        fixture
    }

    impl Fixture {
        fn model(&self, name: &str) -> PathBuf {
            self.cache.folder.join(file_name(&format!("s3://models/{name}.gguf"), "etag"))
        }

        fn has(&self, name: &str) -> bool {
            assert_eq!(self.model(name).exists(), digest_path(&self.model(name)).exists(), "{name}");
            self.model(name).exists()
        }
    }

    #[test]
    fn the_model_that_was_used_longest_ago_goes_first_and_only_as_many_as_needed() {
        let models = fixture(&["old", "new"]);
        models.cache.make_room("s3://models/third.gguf", 20).unwrap();
        assert!(models.has("old") && models.has("new"));
        models.cache.make_room("s3://models/third.gguf", 21).unwrap();
        assert!(!models.has("old") && models.has("new"));
        models.cache.make_room("s3://models/third.gguf", LIMIT).unwrap();
        assert!(!models.has("new"));
    }

    #[test]
    fn using_a_model_makes_it_the_last_to_go() {
        let models = fixture(&["old", "new"]);
        let held = hold(&models.model("old")).unwrap().unwrap();
        assert_eq!(held.sha256, copymill_campaign::sha256_hex(&[b'm'; 40]));
        drop(held);
        models.cache.make_room("s3://models/third.gguf", 50).unwrap();
        assert!(models.has("old") && !models.has("new"));
    }

    #[test]
    fn a_model_that_is_in_use_stays_and_the_error_says_so() {
        let models = fixture(&["old", "new"]);
        let held = hold(&models.model("old")).unwrap().unwrap();
        models.cache.make_room("s3://models/third.gguf", 60).unwrap();
        assert!(models.has("old") && !models.has("new"));
        let error = models.cache.make_room("s3://models/third.gguf", 61).unwrap_err().to_string();
        assert!(error.contains("has 61 bytes") && error.contains("40 of which are in use"), "{error}");
        drop(held);
        models.cache.make_room("s3://models/third.gguf", 61).unwrap();
        assert!(!models.has("old"));
    }

    #[test]
    fn a_model_that_is_larger_than_the_limit_removes_nothing() {
        let models = fixture(&["old"]);
        let error = models.cache.make_room("s3://models/third.gguf", LIMIT + 1).unwrap_err().to_string();
        assert!(error.contains("worker.cache_bytes"), "{error}");
        assert!(models.has("old"));
    }

    #[test]
    fn files_that_are_not_fetched_models_are_never_removed() {
        let models = fixture(&["old"]);
        let foreign = [
            models.cache.folder.join("mine.gguf"),
            models.cache.folder.join("abcdef-mine.gguf"),
            models.cache.folder.join("notes.part"),
            models.folder.path().join("demo-0123456789ab.gguf"),
        ];
        foreign.iter().for_each(|path| fs::write(path, [b'x'; 500]).unwrap());
        let half = models.model("old").with_extension("part");
        fs::write(&half, "half").unwrap();
        models.cache.remove_parts();
        models.cache.make_room("s3://models/third.gguf", LIMIT).unwrap();
        assert!(foreign.iter().all(|path| path.exists()));
        assert!(!models.has("old") && !half.exists());
    }
}
