//! Prompts: a part that is the same for all rows, and a part for one.

mod template;

use std::sync::Arc;

use copymill_campaign::Accepted;
use minijinja::{Environment, Value, context};

use crate::{clean::for_prompt, kind::Kind, names::Names};
use template::{ROW_PART, Written};

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
    /// Fails with all that is wrong in the templates: a key of the campaign, and a sentence with the line.
    pub(crate) fn new(
        campaign: &Accepted,
        kind: &Kind,
        names: &Names,
    ) -> Result<Self, Vec<(String, String)>> {
        let written = Written::of(campaign, kind);
        let refuse = |messages: Vec<String>| {
            let named = |message| (written.key.to_owned(), format!("{}{message}", written.name));
            messages.into_iter().map(named).collect::<Vec<_>>()
        };
        let (system, row) = written.parts().map_err(|message| refuse(vec![format!(": {message}")]))?;
        let tags = regex::Regex::new(r"(?s)\{[{%#].*?[}%#]\}").expect("a test uses it");
        let instructions =
            [&system, &row].map(|part| tags.replace_all(&part.text, "\n").into_owned()).join("\n");
        let audience = &campaign.file.audience;
        let fields = if audience.segment_by.is_empty() { &audience.fields } else { &audience.segment_by };
        let mut environment = environment();
        let mut wrong = Vec::new();
        let rendered = system.render(&mut environment, &shared(campaign, kind, names), &mut wrong);
        let sample = for_row(fields.iter().map(|name| (name.as_str(), "sample".to_owned())), Some("sample"));
        row.render(&mut environment, &sample, &mut wrong);
        if !wrong.is_empty() {
            return Err(refuse(wrong));
        }
        let system = Arc::from(rendered.unwrap_or_default().trim());
        let places_hint = row.text.contains("hint");
        Ok(Self { environment, system, instructions, fields: fields.clone(), places_hint })
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
        let shown = self.fields.iter().zip(values);
        let shown = shown.map(|(name, value)| (name.as_str(), for_prompt(value)));
        let hint = hint.filter(|hint| !hint.is_empty());
        let text = self.environment.get_template(ROW_PART)?.render(for_row(shown, hint))?;
        let text = text.trim();
        Ok(match hint.filter(|_| !self.places_hint) {
            Some(hint) => format!("{text}\n\nThe last attempt was refused: {hint}."),
            None => text.to_owned(),
        })
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(MAX_STEPS));
    environment.add_filter("quoted", |value: Value| -> Result<String, minijinja::Error> {
        serde_json::to_string(&value.to_string())
            .map_err(|e| minijinja::Error::new(minijinja::ErrorKind::BadSerialization, e.to_string()))
    });
    environment
}

/// What the part for one recipient sees.
fn for_row<'a>(shown: impl Iterator<Item = (&'a str, String)>, hint: Option<&str>) -> Value {
    context! { recipient => pairs(shown), hint }
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
