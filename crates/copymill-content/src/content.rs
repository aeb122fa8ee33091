//! A campaign, compiled.

use std::{
    collections::HashSet,
    fmt,
    sync::Arc,
};

use copymill_campaign::{Accepted, FieldValue, Reason};
use serde_json::{Map, Value};

use crate::{
    checks::{self, Banned, Finding, LockedFacts, Texts, label, numbers_in},
    clean::{MERGE_CHARACTERS, is_unsafe, one_line},
    hints,
    kind::{Field, Kind, Layout},
    measure,
    names::{Names, Piece, Source, placed, without_names},
    prompt::{Prompt, Prompts},
    render::{EmailSkeletons, Filled, Part, Renderer},
    schema::{safety_bound, schema},
};

/// A campaign's prompt, checks and rendering.
pub struct Content {
    kind: Kind,
    names: Names,
    prompts: Prompts,
    schema: Value,
    banned: Arc<Banned>,
    facts: LockedFacts,
    instructions: HashSet<Vec<String>>,
    must_use: Vec<String>,
    pages: EmailSkeletons,
    segment_columns: Vec<usize>,
    prompt_columns: Vec<Option<usize>>,
    fallback: Option<Copy>,
}

/// Copy that passed every check which does not depend on the row. Cheap to clone.
#[derive(Clone)]
pub struct Copy(Arc<CopyParts>);

struct CopyParts {
    content: String,
    parts: Vec<Part>,
    used: Vec<String>,
    /// Texts that a row's values are part of, and the limits on them.
    open: Vec<OpenText>,
    size: usize,
}

struct OpenText {
    label: String,
    max: usize,
    unit: crate::kind::Unit,
    pieces: Vec<Piece>,
}

/// Copy, filled in for a row.
pub struct Merged {
    /// What the recipient gets: a JSON object of texts.
    pub rendered_json: String,
    /// Failed checks; empty where the message can go out.
    pub reasons: Vec<Reason>,
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
        let problems = problems(campaign, &kind, &names);
        if !problems.is_empty() {
            return Err(ContentError(problems));
        }
        let prompts = Prompts::new(campaign, &kind, &names).map_err(|error| one("prompt", error))?;
        let pages = match kind.render {
            Layout::Email => EmailSkeletons::new(campaign, &kind).map_err(|error| one("kind", error))?,
            Layout::Text | Layout::Fields => EmailSkeletons::default(),
        };
        let file = &campaign.file;
        let column = |name: &String| campaign.columns.iter().position(|column| column == name);
        let known = file.facts.values().map(String::as_str).chain([file.brief.brand.as_str()]);
        let asks: Vec<&str> = kind.fields.values().map(|field| field.ask.as_str()).collect();
        let mut content = Self {
            schema: schema(&kind, &names),
            banned: Arc::new(Banned::new(&file.checks.banned)),
            facts: LockedFacts::of(known),
            instructions: checks::runs_of(&format!("{} {}", prompts.system().split("Brief:").next().unwrap_or(""), asks.join(" "))),
            must_use: file.checks.must_use.clone(),
            segment_columns: file.audience.segment_by.iter().filter_map(column).collect(),
            prompt_columns: prompts.fields().iter().map(column).collect(),
            kind,
            names,
            prompts,
            pages,
            fallback: None,
        };
        content.fallback = content.compile_fallback(campaign).map_err(|error| one("fallback", error))?;
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
        let value = |column: &Option<usize>| column.and_then(|column| values.get(column)).map_or("", String::as_str);
        self.prompt_columns.iter().map(value).collect()
    }

    /// The prompt for one row or segment, and for one attempt.
    pub fn prompt(&self, values: &[&str], hint: Option<&str>) -> Prompt {
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

    /// Looks at an answer while it grows: false where it holds a banned phrase or a text without end, so that going on
    /// is of no use.
    pub fn watch(&self) -> impl Fn(&str) -> bool + Send + Sync + 'static {
        let banned = self.banned.clone();
        let longest = self.kind.fields.values().map(safety_bound).max().unwrap_or_default();
        move |answer| {
            let text = answer.rsplit('"').next().unwrap_or_default();
            if text.len() > longest && text.chars().count() > longest {
                return false;
            }
            let start = answer.len().saturating_sub(LOOK_BACK);
            let start = (start..=answer.len()).find(|at| answer.is_char_boundary(*at)).unwrap_or(0);
            // A phrase counts once the word is over.
            !answer.ends_with([' ', '.', ',', '!', '"']) || banned.find(&answer[start..]).is_none()
        }
    }

    /// Reads an answer and runs the checks that do not depend on the row; numbers among `prompt_values` may be spelt.
    pub fn draft(
        &self,
        answer: &str,
        truncated: bool,
        attempt: u32,
        prompt_values: &[&str],
    ) -> Result<Copy, Vec<Reason>> {
        let numbers = prompt_values.iter().flat_map(|value| numbers_in(value)).collect();
        let found = match checks::parse(&self.kind, answer) {
            Ok(texts) => match self.check(&texts, &numbers) {
                found if found.is_empty() && !truncated => return self.compile(&texts).map_err(|finding| vec![finding.reason(attempt)]),
                found => found,
            },
            Err(finding) => {
                let mut found = Vec::new();
                self.banned.check("the answer", answer, &mut found);
                found.iter_mut().for_each(|finding| finding.field = None);
                if found.is_empty() && !truncated {
                    found.push(finding);
                }
                found
            }
        };
        let cut = "the answer was cut off at the limit of tokens";
        let truncated = truncated.then(|| Finding::new("truncated", None, cut));
        Err(truncated.into_iter().chain(found).map(|finding| finding.reason(attempt)).collect())
    }

    /// Compiles copy that passed its checks before.
    pub fn copy(&self, content_json: &str) -> Result<Copy, ContentError> {
        let error = |finding: Finding| ContentError(vec![("content".into(), finding.message)]);
        let texts = checks::parse(&self.kind, content_json).map_err(error)?;
        self.compile(&texts).map_err(error)
    }

    /// The campaign's fallback.
    pub fn fallback(&self) -> Option<&Copy> {
        self.fallback.as_ref()
    }

    /// Fills in a row's values, in the order of the campaign's columns, and runs the checks that depend on them.
    pub fn merge(&self, copy: &Copy, values: &[String], attempt: u32) -> Merged {
        let copy = &copy.0;
        let mut found = Vec::new();
        let row: Vec<String> = copy.used.iter().map(|name| self.value(name, values, &mut found)).collect();
        for text in &copy.open {
            self.check_open(text, copy, &row, &mut found);
        }
        if !found.is_empty() {
            let reasons = found.into_iter().map(|finding| finding.reason(attempt)).collect();
            return Merged { rendered_json: String::new(), reasons };
        }
        let filled: Vec<Filled> = row.iter().map(|value| Filled::new(value)).collect();
        let mut rendered = String::with_capacity(copy.size + 64 * filled.len());
        for part in &copy.parts {
            match part {
                Part::Literal(text) => rendered.push_str(text),
                Part::Value { name, html: true } => rendered.push_str(&filled[*name].html),
                Part::Value { name, html: false } => rendered.push_str(&filled[*name].plain),
            }
        }
        Merged { rendered_json: rendered, reasons: Vec::new() }
    }

    fn check(&self, texts: &Texts, numbers: &HashSet<String>) -> Vec<Finding> {
        let mut found = Vec::new();
        checks::fields(&self.kind, texts, &mut found);
        for (name, items) in texts {
            let Some(field) = self.kind.fields.get(name) else { continue };
            for (index, text) in items.iter().enumerate() {
                self.check_text(&label(name, field, index), field, text, numbers, &mut found);
            }
        }
        let all: Vec<&str> = texts.values().flatten().map(String::as_str).collect();
        if checks::repeats(&all) {
            found.push(Finding::new("repetition", None, "the message goes in circles"));
        }
        for name in self.must_use.iter().filter(|name| !self.kind.places.contains(name)) {
            let placed = all.iter().any(|text| placed(text).any(|other| other == name));
            let spelt = matches!(self.names.get(name), Some(Source::Fixed(value)) if all.iter().any(|text| text.contains(value.as_str())));
            if !placed && !spelt && !(name == "brand" && self.kind.render == Layout::Email) {
                found.push(Finding::new("missing_fact", None, format!("the message does not hold `{name}`")));
            }
        }
        found
    }

    fn check_text(&self, label: &str, field: &Field, text: &str, numbers: &HashSet<String>, found: &mut Vec<Finding>) {
        let pieces = match self.names.cut(text) {
            Ok(pieces) => pieces,
            Err(name) => {
                let message = format!("`{name}` is no merge field of the campaign");
                return found.push(Finding::new("unknown_merge_field", label.to_owned(), message));
            }
        };
        if let Some(name) = placed(text).find(|name| self.kind.places.iter().any(|place| place == name)) {
            let message = format!("`{name}` is placed by the renderer, not by copy");
            found.push(Finding::new("unknown_merge_field", label.to_owned(), message));
        }
        let shown: String = pieces.iter().map(|piece| if let Piece::Literal(text) = piece { text } else { "" }).collect();
        check_length(label, &shown, (field.max, field.unit), found);
        let bare = without_names(text);
        self.banned.check(label, &shown, found);
        self.facts.check(label, &bare, numbers, found);
        checks::leftovers(label, &bare, found);
        if checks::echoes(&self.instructions, &bare) {
            found.push(Finding::new("prompt_echo", label.to_owned(), "it repeats the prompt's instructions"));
        }
    }

    fn check_open(&self, text: &OpenText, copy: &CopyParts, row: &[String], found: &mut Vec<Finding>) {
        let mut shown = String::new();
        for piece in &text.pieces {
            match piece {
                Piece::Literal(text) => shown.push_str(text),
                Piece::Name(name) => {
                    let place = copy.used.iter().position(|used| used == name);
                    shown.push_str(place.map_or("", |place| row[place].as_str()));
                }
            }
        }
        check_length(&text.label, &shown, (text.max, text.unit), found);
        self.banned.check(&text.label, &shown, found);
    }

    /// A row's value as messages show it; what is wrong with it is found without being repeated.
    fn value(&self, name: &str, values: &[String], found: &mut Vec<Finding>) -> String {
        let Some(Source::Column { index, default }) = self.names.get(name) else { return String::new() };
        let value = one_line(values.get(*index).map_or("", String::as_str));
        let mut problem = |code, message: String| found.push(Finding::new(code, None, message));
        if value.is_empty() {
            return default.clone().unwrap_or_else(|| {
                let message = format!("the row's `{name}` is empty and audience.defaults has no value for it");
                problem("empty_merge_field", message);
                String::new()
            });
        }
        if is_unsafe(&value) {
            problem("unsafe_value", format!("the row's `{name}` holds markup, a link or template syntax"));
        } else if value.chars().count() > MERGE_CHARACTERS {
            problem("value_too_long", format!("the row's `{name}` has over {MERGE_CHARACTERS} characters"));
        }
        value
    }

    fn compile(&self, texts: &Texts) -> Result<Copy, Finding> {
        let unknown = |name: String| {
            Finding::new("unknown_merge_field", None, format!("`{name}` is no merge field of the campaign"))
        };
        let renderer = Renderer::new(&self.kind, &self.names, &self.pages);
        let (parts, used) = renderer.compile(texts).map_err(unknown)?;
        let mut open = Vec::new();
        for (name, items) in texts {
            let field = &self.kind.fields[name.as_str()];
            for (index, text) in items.iter().enumerate() {
                let pieces = self.names.cut(text).map_err(unknown)?;
                if pieces.iter().any(|piece| matches!(piece, Piece::Name(_))) {
                    let label = label(name, field, index);
                    open.push(OpenText { label, max: field.max, unit: field.unit, pieces });
                }
            }
        }
        let literal = |part: &Part| if let Part::Literal(text) = part { text.len() } else { 0 };
        let size = parts.iter().map(literal).sum();
        Ok(Copy(Arc::new(CopyParts { content: self.content_json(texts), parts, used, open, size })))
    }

    fn content_json(&self, texts: &Texts) -> String {
        let value = |(name, items): (&String, &Vec<String>)| {
            let list = self.kind.fields[name.as_str()].items.is_some();
            let value = if list { Value::from(items.clone()) } else { Value::from(items.concat()) };
            (name.clone(), value)
        };
        Value::Object(texts.iter().map(value).collect::<Map<_, _>>()).to_string()
    }

    fn compile_fallback(&self, campaign: &Accepted) -> Result<Option<Copy>, String> {
        let Some(fallback) = &campaign.file.fallback else { return Ok(None) };
        let value = |value: &FieldValue| match value {
            FieldValue::Text(text) => Value::from(text.clone()),
            FieldValue::List(items) => Value::from(items.clone()),
        };
        let object: Map<_, _> = fallback.iter().map(|(name, field)| (name.clone(), value(field))).collect();
        let say = |findings: Vec<Finding>| {
            let say = |finding: &Finding| format!("{}: {}", finding.field.as_deref().unwrap_or("it"), finding.message);
            findings.iter().map(say).collect::<Vec<_>>().join("; ")
        };
        let texts = checks::parse(&self.kind, &Value::Object(object).to_string()).map_err(|finding| finding.message)?;
        let found = self.check(&texts, &HashSet::new());
        if !found.is_empty() {
            return Err(say(found));
        }
        self.compile(&texts).map(Some).map_err(|finding| finding.message)
    }
}

/// Characters at the end of a growing answer in which a banned phrase is looked for.
const LOOK_BACK: usize = 160;

impl Copy {
    /// What was written, merge fields included: a JSON object of the kind's fields.
    pub fn content_json(&self) -> &str {
        &self.0.content
    }
}

fn check_length(label: &str, shown: &str, (max, unit): (usize, crate::kind::Unit), found: &mut Vec<Finding>) {
    let length = measure::length(shown, unit);
    if length > max {
        let message = format!("it has {length} {} and may have {max}", measure::word(unit));
        found.push(Finding::new("too_long", label.to_owned(), message));
    }
}

fn problems(campaign: &Accepted, kind: &Kind, names: &Names) -> Vec<(String, String)> {
    let file = &campaign.file;
    let mut problems = Vec::new();
    for name in kind.needs.iter().filter(|name| !file.facts.contains_key(*name)) {
        problems.push(("facts".to_owned(), format!("the kind `{}` needs the fact `{name}`", kind.kind)));
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
