//! From the body of an inline job to a campaign that can be worked on: the same rules, checks and rendering.

use std::sync::Arc;

use copymill_campaign::{
    Accepted, CampaignId, InlineHeader, InlineJob, InlineProblem, InputRow, ModelPin, Problems, SourcePin,
    parse_inline_campaign,
};
use copymill_content::{Content, ContentError, Kind};
use copymill_engine::Constraint;

use super::{Letter, Refusal, rows::Rows};

/// An inline job that can be worked on.
pub(super) struct Job {
    /// The first line of its object.
    pub(super) header: InlineHeader,
    /// Its campaign, as if it had been accepted.
    pub(super) campaign: Accepted,
    /// Prompt, checks and rendering.
    pub(super) content: Content,
    /// What decoding is constrained to.
    pub(super) constraint: Arc<Constraint>,
    /// Its rows.
    pub(super) rows: Vec<InputRow>,
}

/// Compiles a job; a refusal says all that is wrong. Takes some milliseconds.
pub(super) fn compile(letter: &Letter, job: &InlineJob, model: &ModelPin) -> Result<Job, Refusal> {
    let id =
        job.campaign.get("audience").and_then(|audience| audience.get("id")?.as_str()).unwrap_or_default();
    let Rows { columns, rows } = Rows::read(&job.rows, id);
    let file = parse_inline_campaign(&job.campaign, &model.name, &columns)
        .map_err(|problems| refuse(&problems))?
        .file;
    let kind = Kind::built_in(&file.kind).ok_or_else(|| no_such_kind(&file.kind))?;
    let header = InlineHeader {
        v: 1,
        message_id: letter.id.clone(),
        body_sha256: letter.body_sha256.clone(),
        rows: rows.len() as u64,
        variants: file.variants,
    };
    let campaign = Accepted {
        v: 1,
        id: CampaignId::of_message(&letter.id),
        accepted_at: jiff::Timestamp::now().to_string(),
        file,
        kind: kind.to_value(),
        prompt: None,
        source: SourcePin {
            location: "the message".into(),
            bytes: letter.body.len() as u64,
            sha256: letter.body_sha256.clone(),
            records: rows.len() as u64,
            key: None,
        },
        columns,
        segmented: false,
        model: model.clone(),
        suppression: None,
        parent: None,
    };
    let content = Content::new(&campaign).map_err(|ContentError(problems)| Refusal::of_campaign(problems))?;
    let constraint = Arc::new(Constraint::json_schema(content.schema().clone()));
    Ok(Job { header, campaign, content, constraint, rows })
}

fn refuse(problems: &Problems) -> Refusal {
    let problems = problems.as_slice().iter();
    Refusal::of_campaign(problems.map(|problem| (problem.key.clone(), problem.message.clone())).collect())
}

fn no_such_kind(name: &str) -> Refusal {
    let near = copymill_campaign::nearest(name, Kind::built_in_names());
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let names: Vec<&str> = Kind::built_in_names().collect();
    let message = format!("there is no built-in kind `{name}`{near}; known are {}", names.join(", "));
    Refusal::of_campaign(vec![("kind".into(), message)])
}

impl Refusal {
    /// Problems by key of the campaign.
    fn of_campaign(problems: Vec<(String, String)>) -> Self {
        let key = |key: &str| if key.is_empty() { "campaign".to_owned() } else { format!("campaign.{key}") };
        let problems: Vec<InlineProblem> =
            problems.into_iter().map(|(name, message)| InlineProblem { key: key(&name), message }).collect();
        let said: Vec<String> =
            problems.iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect();
        Self { reason: format!("its campaign is not in order: {}", said.join("; ")), problems }
    }
}
