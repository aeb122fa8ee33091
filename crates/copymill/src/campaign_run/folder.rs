//! The output folder: what is in it, and making room with `--fresh` without touching what is not ours.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use copymill_campaign::{Accepted, CampaignKeys, CampaignPhase, CampaignState, ChunkId};
use copymill_scheduler::load;
use copymill_store::{FolderStore, Store};

use crate::exit::usage;

/// Files of a campaign at the top of its folder; `leader.json` is not among them, it belongs to the folder.
const FILES: [&str; 5] = ["_SUCCESS", "manifest.json", "report.html", "state.json", "campaign.json"];
/// Folders of objects that are named after chunks.
const CHUNK_FOLDERS: [&str; 6] =
    ["input", "output", "segments/input", "segments/output", "segments/attempts", "attempts"];

/// An output folder.
pub(crate) struct OutputFolder {
    /// Where it is, as the user would write it.
    pub(crate) path: PathBuf,
    /// It as a store.
    pub(crate) store: Arc<dyn Store>,
}

/// What an output folder holds.
pub(crate) enum Standing {
    /// Nothing of ours; other files may be there.
    Empty,
    /// A campaign, finished or not.
    Campaign(Box<(Accepted, CampaignState)>),
    /// No campaign, but files with names that a campaign needs.
    Clash(String),
}

impl OutputFolder {
    /// Opens a folder; it is made with the first object.
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        if path.exists() && !path.is_dir() {
            return Err(usage(format!("{} is a file; name a folder with --output", path.display())));
        }
        let store = FolderStore::open(&path).with_context(|| format!("{} cannot be used", path.display()))?;
        Ok(Self { path, store: Arc::new(store) })
    }

    /// Opens the folder of a campaign that was run.
    pub(crate) fn open_existing(path: PathBuf) -> anyhow::Result<Self> {
        match path.metadata() {
            Ok(found) if found.is_dir() => Self::open(path),
            Ok(_) => {
                Err(usage(format!("{} is a file; name the output folder of a campaign", path.display())))
            }
            Err(_) => Err(usage(format!(
                "there is no folder {}; name the output folder of a campaign",
                path.display()
            ))),
        }
    }

    /// Says what the folder holds.
    pub(crate) async fn standing(&self) -> anyhow::Result<Standing> {
        let keys = CampaignKeys::alone();
        if let Some(accepted) = load(self.store.as_ref(), &keys).await? {
            return Ok(Standing::Campaign(Box::new((accepted, self.state().await?))));
        }
        let clash = self
            .objects()
            .with_context(|| format!("{} cannot be read", self.path.display()))?
            .into_iter()
            .next();
        Ok(clash.map_or(Standing::Empty, |path| Standing::Clash(path.display().to_string())))
    }

    /// The campaign's state; as just accepted where there is none.
    pub(crate) async fn state(&self) -> anyhow::Result<CampaignState> {
        let key = CampaignKeys::alone().state();
        let Some(object) = self.store.get(&key).await? else { return Ok(CampaignState::accepted()) };
        serde_json::from_slice(&object.body).with_context(|| {
            format!("{key} in {} is not readable; use --fresh to start again", self.path.display())
        })
    }

    /// Whether the campaign in it is completed.
    pub(crate) fn is_completed(&self, state: &CampaignState) -> bool {
        state.phase == CampaignPhase::Completed && self.path.join(CampaignKeys::alone().success()).is_file()
    }

    /// Removes a campaign's objects and nothing else. Its `campaign.json` goes last: what is left of an interrupted
    /// removal is still known for what it is.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        if self.path.join("campaign.json").exists() {
            let of_ours = load(self.store.as_ref(), &CampaignKeys::alone()).await;
            of_ours.map_err(|error| {
                usage(format!(
                    "{error:#}; it may not be ours, so nothing was removed: move it away, or use --output"
                ))
            })?;
        }
        for path in self.objects()? {
            fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
        for folder in CHUNK_FOLDERS.iter().chain(["segments"].iter()) {
            // A folder that is not empty holds files that are not ours.
            let _ = fs::remove_dir(self.path.join(folder));
        }
        Ok(())
    }

    /// Files with names that only a campaign's objects have; `campaign.json` last.
    fn objects(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for folder in CHUNK_FOLDERS {
            let folder = self.path.join(folder);
            for path in entries(&folder)? {
                if is_chunk_object(&path) {
                    found.push(path);
                } else if folder.ends_with("attempts") && is_chunk_name(&path) {
                    found.extend(entries(&path)?.into_iter().filter(|path| is_attempt(path)));
                }
            }
        }
        found.extend(FILES.iter().map(|name| self.path.join(name)).filter(|path| path.is_file()));
        Ok(found)
    }
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// `00017.jsonl.zst`, also of a later generation (`00017.g2.jsonl.zst`).
fn is_chunk_object(path: &Path) -> bool {
    let name =
        path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".jsonl.zst"));
    let chunk = name.map(|name| name.split_once(".g").map_or(name, |(chunk, _)| chunk));
    chunk.is_some_and(|chunk| chunk.parse::<ChunkId>().is_ok()) && path.is_file()
}

fn is_chunk_name(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<ChunkId>().is_ok())
}

fn is_attempt(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, names: &[&str]) {
        for name in names {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
    }

    #[tokio::test]
    async fn fresh_removes_a_campaigns_objects_and_never_a_foreign_file() {
        let folder = tempfile::tempdir().unwrap();
        let foreign = [
            "notes.txt",
            "output/notes.txt",
            "output/1.jsonl.zst",
            "input/00000.jsonl.zst.bak",
            "other/00000.jsonl.zst",
        ];
        let ours = [
            "state.json",
            "manifest.json",
            "_SUCCESS",
            "report.html",
            "input/00000.jsonl.zst",
            "output/00017.g2.jsonl.zst",
            "segments/output/00000.jsonl.zst",
            "attempts/00000/1",
        ];
        write(folder.path(), &foreign);
        write(folder.path(), &ours);
        let output = OutputFolder::open(folder.path().to_owned()).unwrap();
        assert!(matches!(output.standing().await.unwrap(), Standing::Clash(_)));
        output.clear().await.unwrap();
        assert!(foreign.iter().all(|name| folder.path().join(name).exists()));
        assert!(ours.iter().all(|name| !folder.path().join(name).exists()));
        assert!(!folder.path().join("segments").exists(), "empty folders of ours go too");
        assert!(matches!(output.standing().await.unwrap(), Standing::Empty));
    }

    #[tokio::test]
    async fn a_campaign_file_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &["campaign.json", "output/00000.jsonl.zst"]);
        let output = OutputFolder::open(folder.path().to_owned()).unwrap();
        assert!(output.clear().await.unwrap_err().to_string().contains("nothing was removed"));
        assert!(folder.path().join("output/00000.jsonl.zst").exists());
    }
}
