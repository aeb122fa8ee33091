//! The newest version of a campaign's list, wherever it is: a file, an object of a bucket, or a copy in the store.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use copymill_campaign::{Accepted, Reason, SuppressedBy, Suppression, SuppressionPin};
use copymill_store::{FetchError, S3Object, S3Settings, Store};
use tokio::sync::Mutex;

use crate::SuppressionList;

/// Lists that are kept in memory, for all campaigns of a process together; most campaigns share one.
pub const LISTS_KEPT: usize = 2;

/// Finds lists, and reads one again only where it changed.
pub struct Lists {
    store: Arc<dyn Store>,
    s3: S3Settings,
    kept: Mutex<Vec<Kept>>,
}

/// A version of a list, and the column that is looked up in it.
#[derive(Clone)]
pub struct CampaignList {
    /// The version.
    pub list: Arc<SuppressionList>,
    /// Place of the column.
    column: usize,
}

impl CampaignList {
    /// Joins a list with the audience whose rows are looked up in it; none where it has not the column.
    pub fn new(
        list: Arc<SuppressionList>,
        campaign: &copymill_campaign::CampaignFile,
        columns: &[String],
    ) -> Option<Self> {
        let name = campaign.suppressed_column()?;
        Some(Self { list, column: columns.iter().position(|column| column == name)? })
    }

    /// Why a recipient on it is not written to.
    pub fn reason(&self) -> Reason {
        let message = format!("the recipient is on the suppression list (version {})", self.list.version());
        Reason { code: "on_suppression_list".into(), field: None, message, attempt: 0 }
    }

    /// Whether a recipient must not be written to.
    pub fn holds(&self, values: &[String]) -> bool {
        values.get(self.column).is_some_and(|value| self.list.holds(value))
    }
}

struct Kept {
    place: String,
    by: SuppressedBy,
    mark: String,
    list: Arc<SuppressionList>,
}

impl Lists {
    /// Keeps no list yet.
    pub fn new(store: Arc<dyn Store>, s3: S3Settings) -> Self {
        Self { store, s3, kept: Mutex::new(Vec::new()) }
    }

    /// The newest version of a campaign's list; none where it has none. An error says which list and why.
    pub async fn of(&self, campaign: &Accepted) -> anyhow::Result<Option<CampaignList>> {
        let Some(wanted) = &campaign.file.suppression else { return Ok(None) };
        let pin = campaign
            .suppression
            .as_ref()
            .context("the campaign does not say where its suppression list is")?;
        let list = self
            .newest(pin, wanted)
            .await
            .with_context(|| format!("the suppression list {}", wanted.list))?;
        let joined = CampaignList::new(list, &campaign.file, &campaign.columns);
        joined.map(Some).context("the audience has not the column that the suppression list is for")
    }

    async fn newest(
        &self,
        pin: &SuppressionPin,
        wanted: &Suppression,
    ) -> anyhow::Result<Arc<SuppressionList>> {
        // One at a time: chunks that end together wait for one reading instead of each doing their own.
        let mut kept = self.kept.lock().await;
        let found = Found::look(pin, &self.s3).await?;
        let (place, mark) = (found.place(), found.mark());
        let same = |list: &Kept| list.place == place && list.by == wanted.by;
        if let Some(at) = kept.iter().position(same) {
            let list = kept.remove(at);
            if list.mark == mark {
                let newest = list.list.clone();
                kept.push(list);
                return Ok(newest);
            }
        }
        // What is replaced goes before its successor comes, so that memory holds one of them.
        while kept.len() >= LISTS_KEPT {
            kept.remove(0);
        }
        let (list, mark) = found.read(self.store.as_ref(), wanted.by).await?;
        let list = Arc::new(list);
        kept.push(Kept { place, by: wanted.by, mark, list: list.clone() });
        Ok(list)
    }
}

/// Where a list is, and which version was seen there.
enum Found {
    /// A copy in the store that nobody changes: its key ends with its SHA-256.
    Pinned(String),
    /// The user's file.
    File(PathBuf, String),
    /// An object that its owner replaces.
    Object(Box<S3Object>, String),
}

impl Found {
    async fn look(pin: &SuppressionPin, s3: &S3Settings) -> anyhow::Result<Self> {
        if let Some(key) = &pin.key {
            return Ok(Self::Pinned(key.clone()));
        }
        if S3Object::is_address(&pin.location) {
            let object = S3Object::open(&pin.location, s3).await?;
            let version = object.look().await.map_err(of_store)?;
            return Ok(Self::Object(Box::new(object), version.etag));
        }
        let path = PathBuf::from(&pin.location);
        let mark = mark_of_file(&path)?;
        Ok(Self::File(path, mark))
    }

    fn place(&self) -> String {
        match self {
            Self::Pinned(key) => format!("key {key}"),
            Self::File(path, _) => format!("file {}", path.display()),
            Self::Object(object, _) => object.address().to_owned(),
        }
    }

    fn mark(&self) -> String {
        match self {
            Self::Pinned(key) => key.clone(),
            Self::File(_, mark) | Self::Object(_, mark) => mark.clone(),
        }
    }

    /// Reads the list, and says which version that is.
    async fn read(self, store: &dyn Store, by: SuppressedBy) -> anyhow::Result<(SuppressionList, String)> {
        let copy =
            tempfile::NamedTempFile::new().context("no scratch file can be made (TMPDIR)")?.into_temp_path();
        match self {
            Self::Pinned(key) => {
                if store.download(&key, &copy).await?.is_none() {
                    bail!("{key} is missing in {}", store.describe());
                }
                let list = read(copy.to_path_buf(), by).await?;
                if !key.ends_with(list.sha256()) {
                    bail!("{key} in {} was altered", store.describe());
                }
                Ok((list, key))
            }
            Self::File(path, mark) => Ok((read(path, by).await?, mark)),
            Self::Object(object, _) => {
                let version = object.fetch(&copy).await.map_err(of_store)?;
                Ok((read(copy.to_path_buf(), by).await?, version.etag))
            }
        }
    }
}

async fn read(path: PathBuf, by: SuppressedBy) -> anyhow::Result<SuppressionList> {
    Ok(tokio::task::spawn_blocking(move || SuppressionList::read(&path, by)).await??)
}

/// What changes with every new version of a file.
fn mark_of_file(path: &Path) -> anyhow::Result<String> {
    let found = fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let changed = found.modified().with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(format!("{changed:?} {} {}", found.len(), found.ino()))
}

/// An error of the store as itself, so that those who try again recognise it.
fn of_store(error: FetchError) -> anyhow::Error {
    match error {
        FetchError::Store(error) => error.into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use copymill_store::{Condition, FolderStore};

    fn lists(folder: &Path) -> Lists {
        Lists::new(Arc::new(FolderStore::open(folder.join("store")).unwrap()), S3Settings::default())
    }

    fn wanted() -> Suppression {
        Suppression { list: "left.txt".into(), by: SuppressedBy::Ids }
    }

    #[tokio::test]
    async fn a_file_that_changes_is_read_again_and_one_that_does_not_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (lists, path) = (lists(folder.path()), folder.path().join("left.txt"));
        let pin = SuppressionPin { location: path.display().to_string(), key: None };
        fs::write(&path, "c-1\n").unwrap();
        let first = lists.newest(&pin, &wanted()).await.unwrap();
        assert!(Arc::ptr_eq(&first, &lists.newest(&pin, &wanted()).await.unwrap()));
        fs::write(&path, "c-1\nc-22\n").unwrap();
        let second = lists.newest(&pin, &wanted()).await.unwrap();
        assert!(!first.holds("c-22") && second.holds("c-22"));
        fs::remove_file(&path).unwrap();
        let error = format!("{:#}", lists.newest(&pin, &wanted()).await.err().unwrap());
        assert!(
            error.contains("left.txt cannot be read"),
            "a list that is gone is not the one in memory: {error}"
        );
    }

    #[tokio::test]
    async fn a_copy_in_the_store_that_was_altered_or_removed_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let key = format!("suppressions/{}", copymill_campaign::sha256_hex(b"c-1\n"));
        let pin = SuppressionPin { location: "/left.txt".into(), key: Some(key.clone()) };
        let put = async |lists: &Lists, body: &'static str| {
            lists.store.put(&key, body.into(), Condition::Always).await.unwrap();
        };
        let sound = lists(folder.path());
        let error = format!("{:#}", sound.newest(&pin, &wanted()).await.err().unwrap());
        assert!(error.contains("is missing"), "{error}");
        put(&sound, "c-1\n").await;
        assert!(sound.newest(&pin, &wanted()).await.unwrap().holds("c-1"));
        put(&sound, "c-2\n").await;
        let error = format!("{:#}", lists(folder.path()).newest(&pin, &wanted()).await.err().unwrap());
        assert!(error.contains("was altered"), "{error}");
    }

    #[tokio::test]
    async fn few_lists_are_in_memory_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let lists = lists(folder.path());
        for number in 0..2 * LISTS_KEPT {
            let path = folder.path().join(format!("{number}.txt"));
            fs::write(&path, "c-1\n").unwrap();
            let pin = SuppressionPin { location: path.display().to_string(), key: None };
            lists.newest(&pin, &wanted()).await.unwrap();
            assert!(lists.kept.lock().await.len() <= LISTS_KEPT);
        }
    }
}
