//! A campaign, compiled: it writes prompts and turns answers into checked copy.

use std::{fmt, sync::Arc};

use copymill_campaign::{Accepted, Reason, nearest};
use serde_json::Value;

use crate::{
    checks::{self, Allowed, Findings, codes},
    copy::Copy,
    fallback, hints,
    kind::{Kind, Layout},
    names::Names,
    prompt::{Prompt, Prompts},
    render::EmailSkeletons,
    rules::Rules,
    schema::schema,
    watch,
};

/// A campaign's prompt, checks and rendering.
pub struct Content {
    pub(crate) rules: Arc<Rules>,
    prompts: Prompts,
    schema: Value,
    pages: EmailSkeletons,
    segment_columns: Vec<usize>,
    prompt_columns: Vec<Option<usize>>,
    fallback: Option<Copy>,
}

/// What is wrong with a campaign, all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ContentError(
    /// Key of the campaign file, and a sentence.
    pub Vec<(String, String)>,
);

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, message)) in self.0.iter().enumerate() {
            write!(f, "{}{key}: {message}", if index > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl Content {
    /// Compiles a campaign; an error says all that is wrong.
    pub fn new(campaign: &Accepted) -> Result<Self, ContentError> {
        let one = |key: &str, message: String| ContentError(vec![(key.into(), message)]);
        let kind = Kind::from_value(&campaign.kind).map_err(|error| one("kind", error.to_string()))?;
        let names = Names::new(campaign, &kind);
        let mut problems = requirements(campaign, &kind, &names);
        let prompts = Prompts::new(campaign, &kind, &names).map_err(|wrong| problems.extend(wrong)).ok();
        let pages = match kind.render {
            Layout::Email => EmailSkeletons::new(campaign, &kind),
            Layout::Text | Layout::Fields => Ok(EmailSkeletons::default()),
        };
        let pages = pages.map_err(|error| problems.push(("kind".into(), error))).ok();
        let schema = schema(&kind, &names);
        let instructions = prompts.as_ref().map_or("", Prompts::instructions);
        let rules = Arc::new(Rules::new(campaign, kind, names, instructions));
        let fallback = fallback::texts(campaign, &rules).map_err(|wrong| problems.extend(wrong)).ok();
        let (Some(prompts), Some(pages), Some(fallback), true) =
            (prompts, pages, fallback, problems.is_empty())
        else {
            return Err(ContentError(problems));
        };
        let audience = &campaign.file.audience;
        let column = |name: &String| campaign.columns.iter().position(|column| column == name);
        let mut content = Self {
            schema,
            segment_columns: audience.segment_by.iter().filter_map(column).collect(),
            prompt_columns: prompts.fields().iter().map(column).collect(),
            rules,
            prompts,
            pages,
            fallback: None,
        };
        let compiled = fallback.map(|texts| content.compile(&texts)).transpose();
        content.fallback = compiled.map_err(|error| one("fallback", error))?;
        Ok(content)
    }

    /// The JSON schema that answers match.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// The columns that prompts show.
    pub fn prompt_fields(&self) -> &[String] {
        self.prompts.fields()
    }

    /// The values of a row, in the order of the campaign's columns, that prompts show.
    pub fn prompt_values<'a>(&self, values: &'a [String]) -> Vec<&'a str> {
        let value =
            |column: &Option<usize>| column.and_then(|column| values.get(column)).map_or("", String::as_str);
        self.prompt_columns.iter().map(value).collect()
    }

    /// The prompt for one row or segment, and for one attempt. Fails with a sentence where the campaign's own template
    /// fails on these values.
    pub fn prompt(&self, values: &[&str], hint: Option<&str>) -> Result<Prompt, String> {
        self.prompts.prompt(values, hint)
    }

    /// What the next attempt is told about failed checks.
    pub fn hint(&self, reasons: &[Reason]) -> String {
        hints::hint(reasons)
    }

    /// The key of a row's segment.
    pub fn segment_key(&self, values: &[String]) -> String {
        let values = self.segment_columns.iter().filter_map(|column| values.get(*column));
        join_key(values.map(String::as_str))
    }

    /// The key of the segment that these values make.
    pub fn segment_key_of(&self, values: &[String]) -> String {
        join_key(values.iter().map(String::as_str))
    }

    /// Looks at an answer while it grows, and is told how many bytes of it were there before: false where a check can no
    /// longer pass, so that going on is of no use.
    pub fn watch(&self, prompt_values: &[&str]) -> impl Fn(&str, usize) -> bool + Send + Sync + 'static {
        let (rules, of_row) = (self.rules.clone(), Allowed::of_row(prompt_values.iter().copied()));
        move |answer, seen| watch::can_pass(&rules, answer, seen, &of_row)
    }

    /// Reads an answer and runs the checks that do not depend on the row; what `prompt_values` say may be said.
    /// `truncated` is set where the answer did not come to its end.
    pub fn draft(
        &self,
        answer: &str,
        truncated: bool,
        attempt: u32,
        prompt_values: &[&str],
    ) -> Result<Copy, Vec<Reason>> {
        let of_row = Allowed::of_row(prompt_values.iter().copied());
        let mut findings = Findings::default();
        match checks::parse(&self.rules.kind, answer) {
            Ok(texts) => {
                findings = self.rules.check(&texts, &of_row);
                if findings.is_empty() {
                    match self.compile(&texts) {
                        Ok(copy) => return Ok(copy),
                        Err(message) => findings.add(codes::UNKNOWN_MERGE_FIELD, None, message),
                    }
                }
            }
            Err(_) if truncated => {
                watch::judge_unfinished(&self.rules, answer, &of_row, &mut findings);
                // The text that ended it says more than that it was ended.
                if findings.is_empty() {
                    findings.add(codes::TRUNCATED, None, "the answer was cut off at the limit of tokens");
                }
            }
            Err(message) => findings.add(codes::NOT_JSON, None, message),
        }
        Err(findings.into_reasons(attempt))
    }

    /// Compiles copy that passed its checks before.
    pub fn copy(&self, content_json: &str) -> Result<Copy, ContentError> {
        let error = |message: String| ContentError(vec![("content".into(), message)]);
        let texts = checks::parse(&self.rules.kind, content_json).map_err(error)?;
        self.compile(&texts).map_err(error)
    }

    /// The campaign's fallback.
    pub fn fallback(&self) -> Option<&Copy> {
        self.fallback.as_ref()
    }

    fn compile(&self, texts: &checks::Texts) -> Result<Copy, String> {
        Copy::compile(&self.rules.kind, &self.rules.names, &self.pages, texts)
            .map_err(|name| format!("`{name}` is no merge field of the campaign"))
    }
}

/// What a campaign must give to its kind and does not.
fn requirements(campaign: &Accepted, kind: &Kind, names: &Names) -> Vec<(String, String)> {
    let file = &campaign.file;
    let mut problems = Vec::new();
    for name in kind.needs.iter().filter(|name| !file.facts.contains_key(*name)) {
        let near = nearest(name, file.facts.keys().map(String::as_str));
        let hint = near.map(|near| format!("; is `{near}` meant to be it?")).unwrap_or_default();
        problems
            .push(("facts".to_owned(), format!("the kind `{}` needs the fact `{name}`{hint}", kind.kind)));
    }
    for name in file.checks.must_use.iter().filter(|name| names.get(name).is_none()) {
        let message = format!("`{name}` is no fact and no merge field");
        problems.push(("checks.must_use".to_owned(), message));
    }
    for name in ["url", "unsubscribe"] {
        if let Some(url) = file.facts.get(name)
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            problems.push((format!("facts.{name}"), "a link starts with https:// or http://".to_owned()));
        }
    }
    problems
}

fn join_key<'a>(values: impl Iterator<Item = &'a str>) -> String {
    values.map(|value| value.replace('\\', "\\\\").replace('|', "\\|")).collect::<Vec<_>>().join("|")
}
