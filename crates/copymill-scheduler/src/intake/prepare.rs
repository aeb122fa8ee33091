//! From a checked campaign to one that can start: the audience is read once, the prompt is known to fit.

use std::path::Path;

use anyhow::Context;
use copymill_campaign::{Accepted, CampaignId, Problem, SourcePin};
use copymill_content::{Content, Prompt};
use copymill_suppression::CampaignList;
use copymill_tokenizer::{PromptEncoder, TokenCount};

use super::{
    Checked, OrUserError, Places,
    check::{Rules, check_by},
};
use crate::Source;
use crate::audience::{AudienceOptions, Gaps, Record};

/// A campaign that can start.
pub struct Prepared {
    /// The campaign and its files.
    pub checked: Checked,
    /// The campaign as it would be accepted now.
    pub accepted: Accepted,
    /// Its prompt, checks and rendering.
    pub content: Content,
    /// Its audience.
    pub source: Source,
    /// Tokens of its first prompt; none where no row can be used.
    pub first_prompt: Option<TokenCount>,
}

/// Checks a campaign and reads its audience. Blocks while it does.
pub async fn prepare(path: &Path, places: &Places) -> anyhow::Result<Prepared> {
    prepare_by(path, places, &|_| Vec::new()).await
}

/// Checks a campaign by rules of the caller's, too, and reads its audience. Blocks while it does.
pub(crate) async fn prepare_by(path: &Path, places: &Places, rules: Rules<'_>) -> anyhow::Result<Prepared> {
    let checked = check_by(path, places, rules).await?;
    let file = &checked.parsed.file;
    let mut source = Source::scan(checked.audience.clone(), file)
        .map_err(|error| checked.problem("audience.source", format!("{:#}", anyhow::Error::from(error))))?;
    if let Some((_, list)) = &checked.suppression {
        source.suppression = CampaignList::new(list.clone(), file, &source.columns);
    }
    // A fallback is for rows that cannot be filled in.
    if file.audience.merge.is_some() && file.fallback.is_none() && !source.gaps.is_empty() {
        return Err(checked.refuse(source.gaps.iter().map(|gap| problem_of(gap, &checked)).collect()));
    }
    let accepted = accepted(&checked, &source)?;
    let content = Content::new(&accepted).with_context(|| path.display().to_string()).or_user_error()?;
    let mut prepared = Prepared { checked, accepted, content, source, first_prompt: None };
    prepared.first_prompt = prepared.count_first_prompt()?;
    Ok(prepared)
}

impl Prepared {
    /// (row, variant) pairs.
    pub fn messages(&self) -> u64 {
        self.source.records * u64::from(self.accepted.file.variants)
    }

    /// Whether `segment_by` was asked for and gives too many segments.
    pub fn has_too_many_segments(&self) -> bool {
        !self.accepted.file.audience.segment_by.is_empty() && !self.accepted.segmented
    }

    /// Segments whose copy is generated; none where the campaign generates per row.
    pub fn segments(&self) -> Option<u64> {
        self.source.segments.as_ref().map(|segments| segments.len() as u64)
    }

    /// The values that make a row's segment.
    pub fn segment_of(&self, values: &[String]) -> Vec<String> {
        let column = |name: &String| self.accepted.columns.iter().position(|column| column == name);
        let columns = self.accepted.file.audience.segment_by.iter().filter_map(column);
        columns.filter_map(|column| values.get(column).cloned()).collect()
    }

    /// The records from an ordinal on, as the audience has them.
    pub fn records(&self, from: u64, count: usize) -> anyhow::Result<Vec<Record>> {
        let options = AudienceOptions::of(&self.accepted.file.audience);
        let mut reader = self.checked.audience.open(options)?;
        reader.skip(from)?;
        let mut records = Vec::new();
        while records.len() < count
            && let Some(record) = reader.next_record()?
        {
            records.push(record);
        }
        Ok(records)
    }

    /// What the user should know before the campaign runs, though it can: one sentence each. Where no merge fields are
    /// listed, every column is one, and most are never placed: that one of them can be empty is no mistake.
    pub fn warnings(&self) -> Vec<String> {
        let gap = |gap: &Gaps| problem_of(gap, &self.checked).to_string();
        let mut warnings: Vec<String> = self.source.gaps.iter().map(gap).collect();
        let context = self.checked.model.context();
        let estimate = self.first_prompt.filter(|count| count.estimated);
        warnings.extend(estimate.and_then(|count| self.misfit(count, context)));
        warnings
    }

    /// Counts the tokens of the first usable row's prompt with a loaded model and fails where it leaves no room for the
    /// answer.
    pub fn check_fit(&self, encoder: &PromptEncoder, context: u64) -> anyhow::Result<()> {
        let Some(prompt) = self.first_prompt()? else { return Ok(()) };
        let tokens = encoder.encode(&prompt.system, &prompt.user).or_user_error()?.len();
        let misfit = self.misfit(TokenCount { tokens, estimated: false }, context);
        misfit.map_or(Ok(()), |misfit| Err(self.checked.problem("brief", misfit)))
    }

    /// Counts without the model. An estimate refuses nobody: the loaded model has the last word.
    fn count_first_prompt(&self) -> anyhow::Result<Option<TokenCount>> {
        let Some(prompt) = self.first_prompt()? else { return Ok(None) };
        let model = &self.checked.model;
        let count = model.count(&prompt.system, &prompt.user);
        let count = count.map_err(|error| self.checked.problem("model", error.to_string()))?;
        match self.misfit(count, model.context()).filter(|_| !count.estimated) {
            Some(misfit) => Err(self.checked.problem("brief", misfit)),
            None => Ok(Some(count)),
        }
    }

    fn misfit(&self, TokenCount { tokens, estimated }: TokenCount, context: u64) -> Option<String> {
        let answer = u64::from(self.accepted.file.sampling.max_tokens);
        let about = if estimated { "about " } else { "" };
        (tokens as u64 + answer > context).then(|| {
            format!(
                "the first prompt has {about}{tokens} tokens and an answer may have {answer}, but the model `{}` takes {context} \
                 together; shorten the brief, facts or prompt, lower sampling.max_tokens, or choose another model",
                self.accepted.file.models()
            )
        })
    }

    fn first_prompt(&self) -> anyhow::Result<Option<Prompt>> {
        let Some(values) = self.first_prompt_values()? else { return Ok(None) };
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        // A row on which the campaign's own template fails is invalid, and the others are none the worse.
        Ok(self.content.prompt(&values, None).ok())
    }

    /// What the first prompt shows of a recipient or segment; none where no row can be used.
    fn first_prompt_values(&self) -> anyhow::Result<Option<Vec<String>>> {
        if let Some(segments) = &self.source.segments {
            return Ok(segments.first().cloned());
        }
        let usable = self.records(0, LOOKED_AT)?.into_iter().find_map(|record| record.values.ok());
        let own = |text: &str| text.to_owned();
        Ok(usable.map(|values| self.content.prompt_values(&values).into_iter().map(own).collect()))
    }
}

/// What is wrong with a merge field that can be empty and has no default.
fn problem_of(Gaps { column, rows, first }: &Gaps, checked: &Checked) -> Problem {
    let rows = if *rows == 1 { "1 row has".to_owned() } else { format!("{rows} rows have") };
    let message = format!(
        "{rows} no {column}, the first in {first} of the audience, and there is no default: a message that places \
         [[{column}]] cannot be rendered for them; add `{column}` here, or leave it out of audience.merge"
    );
    checked.parsed.problem("audience.defaults", message)
}

/// Rows among which one is looked for that can be used.
const LOOKED_AT: usize = 100;

fn accepted(checked: &Checked, source: &Source) -> anyhow::Result<Accepted> {
    Ok(Accepted {
        v: 1,
        id: CampaignId::new(ulid::Ulid::generate()),
        accepted_at: jiff::Timestamp::now().to_string(),
        file: checked.parsed.file.clone(),
        kind: checked.kind.clone(),
        prompt: checked.prompt.clone(),
        source: SourcePin {
            location: checked.audience.location()?,
            bytes: source.bytes,
            sha256: source.sha256.clone(),
            records: source.records,
            key: None,
        },
        suppression: checked.suppression.as_ref().map(|(pin, _)| pin.clone()),
        columns: source.columns.clone(),
        segmented: source.segments.is_some(),
        model: checked.model.pin.clone(),
        parent: None,
    })
}
