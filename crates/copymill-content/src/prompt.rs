//! Prompts: a part that is the same for all rows, and a part for one.

use std::sync::Arc;

use copymill_campaign::Accepted;
use minijinja::{Environment, Value, context};

use crate::{clean::for_prompt, kind::Kind, names::Names};

const SYSTEM: &str = include_str!("../prompts/system.j2");
const ROW: &str = include_str!("../prompts/row.j2");

/// Far more steps than any prompt needs: a template that loops without an end is an error, not a wait.
const MAX_STEPS: u64 = 1_000_000;

/// A prompt. All of it is text that must never become a control token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The same for all rows of a campaign.
    pub system: Arc<str>,
    /// For one row and attempt.
    pub user: String,
}

/// A campaign's prompt, its first part rendered.
pub(crate) struct Prompts {
    environment: Environment<'static>,
    system: Arc<str>,
    instructions: String,
    fields: Vec<String>,
    /// Whether the part for one recipient says by itself what was wrong with the last attempt.
    places_hint: bool,
}

impl Prompts {
    /// Fails with what is wrong in a template, and its line.
    pub(crate) fn new(campaign: &Accepted, kind: &Kind, names: &Names) -> Result<Self, String> {
        let own = campaign.prompt.as_ref().or(kind.prompt.as_ref());
        let (system, row) = match own {
            None => (SYSTEM.to_owned(), ROW.to_owned()),
            Some(text) => split(text)?,
        };
        let places_hint = row.contains("hint");
        let tags = regex::Regex::new(r"(?s)\{[{%#].*?[}%#]\}").expect("a test uses it");
        let instructions = tags.replace_all(&system, "\n").into_owned();
        let mut environment = Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(MAX_STEPS));
        environment.add_filter("quoted", |value: Value| -> Result<String, minijinja::Error> {
            serde_json::to_string(&value.to_string())
                .map_err(|e| minijinja::Error::new(minijinja::ErrorKind::BadSerialization, e.to_string()))
        });
        let added = environment
            .add_template_owned("system", system)
            .and_then(|()| environment.add_template_owned("row", row));
        added.map_err(|error| describe(&error))?;
        let system = environment
            .get_template("system")
            .and_then(|template| template.render(shared(campaign, kind, names)));
        let system = Arc::from(system.map_err(|error| describe(&error))?.trim());
        let audience = &campaign.file.audience;
        let fields = if audience.segment_by.is_empty() { &audience.fields } else { &audience.segment_by };
        let prompts = Self { environment, system, instructions, fields: fields.clone(), places_hint };
        let sample: Vec<&str> = prompts.fields.iter().map(|_| "sample").collect();
        prompts.row(&sample, Some("sample")).map_err(|error| describe(&error))?;
        Ok(prompts)
    }

    pub(crate) fn fields(&self) -> &[String] {
        &self.fields
    }

    /// The prompt's own words, without what the campaign puts into it.
    pub(crate) fn instructions(&self) -> &str {
        &self.instructions
    }

    /// Fails where the template fails on these values; the sentence does not repeat them.
    pub(crate) fn prompt(&self, values: &[&str], hint: Option<&str>) -> Result<Prompt, String> {
        let user = self.row(values, hint).map_err(|error| {
            let line = error.line().map(|line| format!(" in line {line} of the part for one recipient"));
            format!("the prompt template fails on this row{}", line.unwrap_or_default())
        })?;
        Ok(Prompt { system: self.system.clone(), user })
    }

    fn row(&self, values: &[&str], hint: Option<&str>) -> Result<String, minijinja::Error> {
        let recipient =
            pairs(self.fields.iter().zip(values).map(|(name, value)| (name.as_str(), for_prompt(value))));
        let hint = hint.filter(|hint| !hint.is_empty());
        let text = self.environment.get_template("row")?.render(context! { recipient, hint })?;
        let text = text.trim();
        Ok(match hint.filter(|_| !self.places_hint) {
            Some(hint) => format!("{text}\n\nThe last attempt was refused: {hint}."),
            None => text.to_owned(),
        })
    }
}

fn shared(campaign: &Accepted, kind: &Kind, names: &Names) -> Value {
    let file = &campaign.file;
    let fields: Vec<Value> = kind
        .fields
        .iter()
        .map(|(name, field)| context! { name => name.clone(), ask => field.ask.clone() })
        .collect();
    let more = file.brief.more.iter().map(|(key, value)| (key.as_str(), value.clone()));
    let brief = pairs([("brand", file.brief.brand.clone())].into_iter().chain(more));
    let facts = pairs(file.facts.iter().map(|(key, value)| (key.as_str(), value.clone())));
    let must_use: Vec<String> =
        file.checks.must_use.iter().filter(|name| !kind.places.contains(name)).cloned().collect();
    context! {
        kind => context! { name => kind.kind.clone(), task => kind.task.clone(), fields => fields },
        language => file.language.clone(),
        names => names.offered().to_vec(),
        must_use => must_use,
        banned => file.checks.banned.clone(),
        brief => brief,
        facts => facts,
    }
}

/// A map that keeps its order.
fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> Value {
    Value::from_pairs(pairs.map(|(key, value)| (Value::from(key), Value::from(value))))
}

fn split(text: &str) -> Result<(String, String), String> {
    let text = text.replace("\r\n", "\n");
    match text.split_once("\n---\n") {
        Some((system, row)) => Ok((system.to_owned(), row.to_owned())),
        None => {
            Err("a line `---` must stand between the part for the campaign and the part for one recipient"
                .into())
        }
    }
}

fn describe(error: &minijinja::Error) -> String {
    let place =
        error.line().map(|line| format!("line {line} of the part `{}`: ", error.name().unwrap_or("prompt")));
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{}{}{detail}", place.unwrap_or_default(), error.kind())
}
