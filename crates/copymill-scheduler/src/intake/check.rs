//! Everything that can be wrong with a campaign before its audience is read: all of it at once.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use copymill_campaign::{
    Accepted, CampaignFile, CampaignId, Inspection, ModelPin, ParsedCampaign, Problem, Problems, SourcePin,
    SuppressionPin, check_columns, inspect_campaign, nearest,
};
use copymill_content::{Content, ContentError, Kind};
use copymill_model::{ModelFile, ModelHeader, ModelPlaces, find_model};
use copymill_store::S3Object;
use copymill_suppression::SuppressionList;
use serde_json::Value;

use super::{OrUserError, Places, kind::own_kind, kind_definition, user_error};
use crate::{
    SourceFile,
    audience::{AudienceError, AudienceOptions, Detected},
};

/// A campaign in which nothing is wrong as far as its files tell.
pub struct Checked {
    /// What it says, and where.
    pub parsed: ParsedCampaign,
    /// The folder that its paths are relative to.
    pub base: PathBuf,
    /// The audience file.
    pub audience: SourceFile,
    /// Names of its columns.
    pub columns: Vec<String>,
    /// What its format is.
    pub detected: Detected,
    /// The suppression list and where it is.
    pub suppression: Option<(SuppressionPin, Arc<SuppressionList>)>,
    /// The kind's definition.
    pub kind: Value,
    /// The text of the campaign's own prompt.
    pub prompt: Option<String>,
    /// The model's header.
    pub model: ModelHeader,
}

/// Checks a campaign file and the files that it names. Blocks while it reads them.
pub async fn check(path: &Path, places: &Places) -> anyhow::Result<Checked> {
    check_by(path, places, &|_| Vec::new()).await
}

/// What a caller has against a campaign. A file is not looked at where there is a problem with the key that names it.
pub(super) type Rules<'a> = &'a (dyn Fn(&ParsedCampaign) -> Vec<Problem> + Send + Sync);

/// Checks by rules of the caller's, too.
pub(super) async fn check_by(path: &Path, places: &Places, rules: Rules<'_>) -> anyhow::Result<Checked> {
    let text = read_campaign(path)?;
    let shown = path.display().to_string();
    let Inspection { parsed, mut problems } = inspect_campaign(&text, &shown);
    let Some(parsed) = parsed else { return Err(refuse(&shown, problems)) };
    problems.extend(rules(&parsed).into_iter().map(|problem| Problem { path: shown.clone(), ..problem }));
    let base = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let mut checks = Checks { parsed: &parsed, base: &base, places, problems };
    let audience = checks.audience().await;
    let suppression = checks.suppression().await;
    let kind = checks.kind();
    let prompt = checks.prompt();
    let columns = audience.as_ref().map(|(_, columns, _)| columns.clone());
    checks.content(columns, kind.clone(), prompt.clone().flatten());
    let model = checks.model().await;
    let problems = checks.problems;
    match (audience, kind, prompt, model) {
        (Some((audience, columns, detected)), Some(kind), Some(prompt), Some(model))
            if problems.is_empty() =>
        {
            Ok(Checked { audience, suppression, parsed, base, columns, detected, kind, prompt, model })
        }
        _ => Err(refuse(&shown, problems)),
    }
}

impl Checked {
    /// An error about a key that only reading the audience or writing a prompt shows.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) -> anyhow::Error {
        self.refuse(vec![self.parsed.problem(key, message)])
    }

    /// An error about the campaign file.
    pub(super) fn refuse(&self, problems: Vec<Problem>) -> anyhow::Error {
        let path = problems.first().map(|problem| problem.path.clone()).unwrap_or_default();
        refuse(&path, problems)
    }

    /// Folder for the output: the one that the command line names, or the campaign's own.
    pub fn output(&self, named: Option<&Path>) -> PathBuf {
        named.map_or_else(|| self.base.join(&self.parsed.file.output), Path::to_owned)
    }
}

/// Stands for a fact that cannot be read; a link, because some facts have to be one.
const UNREAD_FACT: &str = "https://unread.invalid";

struct Checks<'a> {
    parsed: &'a ParsedCampaign,
    base: &'a Path,
    places: &'a Places,
    problems: Vec<Problem>,
}

impl Checks<'_> {
    fn note(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(self.parsed.problem(key, message));
    }

    fn has_problem(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Compiles what messages are made from, as far as that tells what is wrong: the model and the rows play no part.
    ///
    /// Where the audience or the kind has a problem of its own, what was most likely meant stands in.
    fn content(&mut self, columns: Option<Vec<String>>, kind: Option<Value>, prompt: Option<String>) {
        let Some(kind) = kind.or_else(|| self.meant_kind()) else { return };
        let Some(columns) = columns.or_else(|| self.named_columns()) else { return };
        let campaign = Accepted {
            v: 1,
            id: CampaignId::new(ulid::Ulid::nil()),
            accepted_at: String::new(),
            file: self.understood(),
            kind,
            prompt,
            source: SourcePin {
                location: String::new(),
                bytes: 0,
                sha256: String::new(),
                records: 0,
                key: None,
            },
            suppression: None,
            columns,
            segmented: false,
            model: ModelPin { name: String::new(), sha256: String::new() },
            parent: None,
        };
        let Err(ContentError(problems)) = Content::new(&campaign) else { return };
        // What is wrong with a key is said once, by whoever saw it first.
        let before = std::mem::take(&mut self.problems);
        for (key, message) in problems {
            if !before.iter().any(|problem| problem.key == key) {
                self.note(&key, message);
            }
        }
        self.problems.extend(before);
    }

    /// The campaign file, with something in the place of facts that are there and cannot be read.
    fn understood(&self) -> CampaignFile {
        let mut file = self.parsed.file.clone();
        let unread = self.problems.iter().filter_map(|problem| problem.key.strip_prefix("facts."));
        for fact in unread {
            file.facts.entry(fact.to_owned()).or_insert_with(|| UNREAD_FACT.to_owned());
        }
        file
    }

    /// The built-in kind that a name without a kind most likely means.
    fn meant_kind(&self) -> Option<Value> {
        let name = &self.parsed.file.kind;
        if own_kind(name, self.base).exists() {
            return None;
        }
        Some(Kind::built_in(nearest(name, Kind::built_in_names())?)?.to_value())
    }

    /// The columns that the campaign names, where those are all that it can use.
    fn named_columns(&self) -> Option<Vec<String>> {
        let audience = &self.parsed.file.audience;
        let named = audience.fields.iter().chain(audience.merge.as_ref()?);
        Some([&audience.id].into_iter().chain(named).cloned().collect())
    }

    async fn audience(&mut self) -> Option<(SourceFile, Vec<String>, Detected)> {
        if self.has_problem("audience.source") {
            return None;
        }
        let audience = &self.parsed.file.audience;
        // A missing id column is for the check of columns, which knows its place.
        let options = AudienceOptions { id: None, ..AudienceOptions::of(audience) };
        let found = SourceFile::find(&audience.source, self.base, self.places).await;
        match found.and_then(|file| Ok((file.open(options)?, file))) {
            Ok((mut reader, file)) => {
                // Other troubles of rows take a pass over all of them to find.
                if let Ok(None) = reader.next_record() {
                    let error = AudienceError::without_recipients(reader.name());
                    self.note("audience.source", error.to_string());
                }
                self.problems.extend(check_columns(self.parsed, reader.columns()));
                Some((file, reader.columns().to_vec(), reader.describe().clone()))
            }
            Err(error) => {
                self.note("audience.source", format!("{error:#}"));
                None
            }
        }
    }

    /// Reads the suppression list: what is wrong in it is to be found before anything is planned.
    async fn suppression(&mut self) -> Option<(SuppressionPin, Arc<SuppressionList>)> {
        let wanted = self.parsed.file.suppression.as_ref()?;
        if self.has_problem("suppression.list") {
            return None;
        }
        let found = SourceFile::find(&wanted.list, self.base, self.places).await;
        let read = found.and_then(|file| {
            let pin = SuppressionPin { location: file.location()?, key: None };
            Ok((pin, Arc::new(SuppressionList::read(file.path(), wanted.by)?)))
        });
        read.map_err(|error| {
            let near = did_you_mean(self.base, &wanted.list);
            let message = format!("the suppression list {} cannot be used: {error:#}{near}", wanted.list);
            self.note("suppression.list", message);
        })
        .ok()
    }

    fn kind(&mut self) -> Option<Value> {
        match kind_definition(&self.parsed.file.kind, self.base) {
            Ok(kind) => Some(kind),
            Err(message) => {
                self.note("kind", message);
                None
            }
        }
    }

    fn prompt(&mut self) -> Option<Option<String>> {
        let Some(name) = &self.parsed.file.prompt else { return Some(None) };
        if self.has_problem("prompt") {
            return None;
        }
        match std::fs::read_to_string(self.base.join(name)) {
            Ok(text) => Some(Some(text)),
            Err(error) => {
                let near = did_you_mean(self.base, name);
                self.note("prompt", format!("the prompt {name} cannot be read: {error}{near}"));
                None
            }
        }
    }

    async fn model(&mut self) -> Option<ModelHeader> {
        let file = &self.parsed.file;
        // The small one first: with a problem of its own, nothing large is fetched.
        let adapter = match &file.adapter {
            Some(adapter) => Some(self.find("adapter", adapter, file.adapter_sha256.as_deref()).await),
            None => None,
        };
        let found = self.find("model", &file.model, file.model_sha256.as_deref()).await?;
        let header = ModelHeader::read(found).map_err(|error| self.note("model", error.to_string())).ok()?;
        let Some(adapter) = adapter else { return Some(header) };
        header.with_adapter(adapter?).map_err(|error| self.note("adapter", error.to_string())).ok()
    }

    /// Finds the model file that a key names.
    async fn find(&mut self, key: &str, name: &str, sha256: Option<&str>) -> Option<ModelFile> {
        // Gigabytes are not fetched for a campaign that cannot run.
        let is_fetched = name.starts_with("hf://") || S3Object::is_address(name);
        if self.has_problem(key) || is_fetched && !self.problems.is_empty() {
            return None;
        }
        let found = locate(name, sha256, self.base, self.places).await;
        found.map_err(|error| self.note(key, format!("{error:#}{}", did_you_mean(self.base, name)))).ok()
    }
}

/// Finds a model file, or fetches it; paths are relative to `base`.
pub async fn locate(
    name: &str,
    sha256: Option<&str>,
    base: &Path,
    places: &Places,
) -> anyhow::Result<ModelFile> {
    let places = ModelPlaces {
        base: base.to_owned(),
        cache: places.cache.clone(),
        cache_bytes: places.cache_bytes,
        s3: places.s3.clone(),
    };
    find_model(name, sha256, &places).await.or_user_error()
}

fn read_campaign(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    if path.is_dir() {
        return Err(user_error(format!("{shown} is a folder; name the campaign file in it")));
    }
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let hint = near_file(path).map_or_else(
                || "`copymill init recipients.csv` writes one".to_owned(),
                |near| format!("did you mean {}?", path.with_file_name(near).display()),
            );
            return Err(user_error(format!("there is no campaign file {shown}; {hint}")));
        }
        read => read.with_context(|| format!("the campaign {shown} cannot be read")).or_user_error()?,
    };
    String::from_utf8(bytes)
        .map_err(|_| user_error(format!("the campaign {shown} is not UTF-8; save it as UTF-8")))
}

/// "; did you mean prompt.j2?" where a file that a campaign names is missing and one beside it has nearly its name.
fn did_you_mean(base: &Path, name: &str) -> String {
    let path = base.join(name);
    let near = if path.exists() { None } else { near_file(&path) };
    let near = near.map(|near| Path::new(name).with_file_name(near));
    near.map_or_else(String::new, |near| format!("; did you mean {}?", near.display()))
}

/// The name of a file beside a missing one that has nearly its name.
fn near_file(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?;
    let names: Vec<String> =
        entries.take(1000).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str)).map(str::to_owned)
}

fn refuse(path: &str, problems: Vec<Problem>) -> anyhow::Error {
    let problems = Problems::new(problems);
    let count = problems.as_slice().len();
    let plural = if count == 1 { "" } else { "s" };
    user_error(format!("{count} problem{plural} in {path}\n{problems}"))
}
