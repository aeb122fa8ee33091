//! What the schema has against a file, in words.

use std::{collections::HashSet, sync::LazyLock};

use jsonschema::{
    JsonType, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
    paths::LocationSegment,
};
use serde_json::Value;

use super::{
    Problem, campaign_schema,
    key_path::KeyPath,
    near::{did_you_mean, nearest},
    problem::{list, quote},
    scalar::write_quoted,
    tree::{Tree, Unquoted},
};

struct Compiled {
    schema: Value,
    validator: Validator,
}

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let schema = campaign_schema();
    let validator =
        jsonschema::validator_for(&schema).expect("a schema that schemars writes is valid; a test covers it");
    Compiled { schema, validator }
});

/// What the schema says about a file.
pub(super) struct Checked {
    pub(super) problems: Vec<Problem>,
    /// The file's value without what the schema refuses.
    pub(super) readable: Value,
}

/// Checks a file against the schema.
pub(super) fn check(tree: &Tree, path: &str) -> Checked {
    let report = Report { tree, path };
    let mut readable = tree.value.clone();
    let mut problems: Vec<Problem> = Vec::new();
    for error in COMPILED.validator.iter_errors(&tree.value) {
        problems.extend(report.explain(&error));
        leave_out(&mut readable, &error);
    }
    let known: HashSet<String> = problems.iter().map(|problem| problem.key.clone()).collect();
    // Text that another reader of YAML would change passes the schema; it needs quotes all the same.
    let disputed =
        tree.unquoted().filter(|(key, unquoted)| unquoted.read_as_text && !known.contains(key.as_str()));
    problems.extend(disputed.map(|(key, unquoted)| tree.problem(path, key, ask_for_quotes(unquoted))));
    Checked { problems, readable }
}

/// Leaves out what an error is about, so that the rest can be read. An unknown key that is most likely a known one
/// takes its place, or rules would miss what is there. What cannot be left out stays and is not readable.
fn leave_out(readable: &mut Value, error: &ValidationError<'_>) {
    let pointer = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let Some(Value::Object(keys)) = readable.pointer_mut(pointer) else { return };
            for name in unexpected {
                let value = keys.remove(name);
                if let (Some(near), Some(value)) =
                    (nearest(name, properties(error).map(|(name, _)| name)), value)
                {
                    keys.entry(near).or_insert(value);
                }
            }
        }
        ValidationErrorKind::Minimum { .. }
        | ValidationErrorKind::Maximum { .. }
        | ValidationErrorKind::OneOfNotValid { .. } => remove(readable, pointer),
        // Without a key of the audience, columns would be found missing that are there.
        ValidationErrorKind::Type { .. } if !pointer.starts_with("/audience") => remove(readable, pointer),
        _ => {}
    }
}

fn remove(readable: &mut Value, pointer: &str) {
    let (above, name) = pointer.rsplit_once('/').unwrap_or_default();
    if let Some(Value::Object(keys)) = readable.pointer_mut(above) {
        keys.remove(name);
    }
}

struct Report<'a> {
    tree: &'a Tree,
    path: &'a str,
}

impl Report<'_> {
    fn explain(&self, error: &ValidationError<'_>) -> Vec<Problem> {
        let key = key_of(error);
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                unexpected.iter().map(|name| self.unknown_key(&key, name, error)).collect()
            }
            ValidationErrorKind::Required { property } => vec![self.missing_key(&key, property, error)],
            ValidationErrorKind::PropertyNames { error: inner } => {
                let name = inner.instance().as_str().unwrap_or_default();
                let message = format!(
                    "a name here has letters, digits and `_` only and begins with no digit; rename {}",
                    quote(name)
                );
                vec![self.tree.key_problem(self.path, &key.key(name), message)]
            }
            _ => vec![self.tree.problem(self.path, &key, self.value_message(&key, error))],
        }
    }

    fn unknown_key(&self, key: &KeyPath, name: &str, error: &ValidationError<'_>) -> Problem {
        let known: Vec<&str> = properties(error).map(|(name, _)| name).collect();
        let near = did_you_mean(name, known.iter().copied());
        let known = if near.is_empty() { format!("; known are {}", list(known, "and")) } else { near };
        self.tree.key_problem(self.path, &key.key(name), format!("unknown key{known}"))
    }

    fn missing_key(&self, key: &KeyPath, property: &Value, error: &ValidationError<'_>) -> Problem {
        let name = property.as_str().unwrap_or_default();
        let about = properties(error)
            .find(|(property, _)| *property == name)
            .and_then(|(_, schema)| schema.get("description")?.as_str())
            .map_or_else(String::new, |text| format!(" ({})", text.trim_end_matches('.')));
        self.tree.key_problem(self.path, key, format!("the key {} is missing{about}", quote(name)))
    }

    fn value_message(&self, key: &KeyPath, error: &ValidationError<'_>) -> String {
        let unquoted = self.tree.place(key).and_then(|place| place.unquoted.as_ref());
        match error.kind() {
            ValidationErrorKind::Type { kind } => wrong_type(&types(kind), error.instance(), unquoted),
            ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => {
                format!("{} is out of range; {}", error.instance(), range(error))
            }
            ValidationErrorKind::MinLength { .. } => "the text is empty; write one".into(),
            ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::Enum { .. } => one_of(error),
            ValidationErrorKind::AnyOf { .. } => {
                wrong_type(&["a text", "a list of texts"], error.instance(), unquoted)
            }
            ValidationErrorKind::Pattern { .. } => pattern(error),
            _ => error.to_string(),
        }
    }
}

fn key_of(error: &ValidationError<'_>) -> KeyPath {
    error.instance_path().iter().fold(KeyPath::root(), |path, segment| match segment {
        LocationSegment::Property(name) => path.key(&name),
        LocationSegment::Index(index) => path.index(index),
    })
}

/// The schema that the broken rule is part of.
fn schema_around(error: &ValidationError<'_>) -> Option<&'static Value> {
    let rule = error.schema_path().as_str();
    COMPILED.schema.pointer(&rule[..rule.rfind('/')?])
}

fn properties(error: &ValidationError<'_>) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let properties = schema_around(error).and_then(|schema| schema.get("properties")?.as_object());
    properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema))
}

fn types(kind: &TypeKind) -> Vec<&'static str> {
    match kind {
        TypeKind::Single(single) => vec![type_name(*single)],
        TypeKind::Multiple(several) => several.iter().map(type_name).collect(),
    }
}

fn type_name(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Null => "nothing",
        JsonType::Number => "a number",
        JsonType::Object => "keys with values",
        JsonType::String => "a text",
    }
}

fn wrong_type(wanted: &[&str], found: &Value, unquoted: Option<&Unquoted>) -> String {
    let text_wanted = wanted.contains(&"a text");
    if let (true, Some(unquoted)) = (text_wanted, unquoted) {
        return ask_for_quotes(unquoted);
    }
    let wanted_words = wanted.join(" or ");
    match found {
        Value::Null => format!("there is no value; write {wanted_words}, or leave the key out"),
        Value::String(text) if wanted == ["a list"] => {
            format!("expected a list and found the text {}; write [{text}]", quote(text))
        }
        Value::String(text) => format!("expected {wanted_words} and found the text {}", quote(text)),
        Value::Array(_) if text_wanted => format!(
            "expected {wanted_words} and found a list; a text that begins with `[` needs quotes, such as \"[[first_name]]\""
        ),
        Value::Object(_) if text_wanted => {
            format!(
                "expected {wanted_words} and found keys with values; a text that begins with `{{` needs quotes"
            )
        }
        Value::Array(_) => format!("expected {wanted_words} and found a list"),
        Value::Object(_) => format!("expected {wanted_words} and found keys with values"),
        Value::Bool(_) | Value::Number(_) => {
            format!("expected {wanted_words} and found {}", quote(&found.to_string()))
        }
    }
}

fn ask_for_quotes(unquoted: &Unquoted) -> String {
    let Unquoted { text, taken_for, .. } = unquoted;
    if text.is_empty() {
        return "there is no value; write a text, or leave the key out".into();
    }
    format!(
        "{} is {taken_for} to YAML and not a text; write it in quotes: {}",
        quote(text),
        write_quoted(text)
    )
}

fn range(error: &ValidationError<'_>) -> String {
    let limit = |name| schema_around(error).and_then(|schema| schema.get(name));
    match (limit("minimum"), limit("maximum")) {
        (Some(low), Some(high)) => format!("it must be between {low} and {high}"),
        (Some(low), None) => format!("it must be at least {low}"),
        (None, Some(high)) => format!("it must be at most {high}"),
        (None, None) => "see the schema".into(),
    }
}

fn one_of(error: &ValidationError<'_>) -> String {
    let schema = schema_around(error);
    let choices = |name| schema.and_then(|schema| schema.get(name)?.as_array()).into_iter().flatten();
    let names: Vec<&str> = choices("oneOf")
        .filter_map(|choice| choice.get("const")?.as_str())
        .chain(choices("enum").filter_map(Value::as_str))
        .collect();
    let found = error.instance().as_str().map_or_else(|| error.instance().to_string(), str::to_owned);
    let near = did_you_mean(&found, names.iter().copied());
    format!("{} is not one of {}{near}", quote(&found), list(names, "and"))
}

fn pattern(error: &ValidationError<'_>) -> String {
    let schema = schema_around(error);
    let about =
        schema.and_then(|schema| schema.get("description")?.as_str()).unwrap_or("a text of another form");
    let found = error.instance().as_str().unwrap_or_default();
    let example = schema
        .and_then(|schema| schema.get("examples")?.get(0)?.as_str())
        .filter(|example| !about.contains(example))
        .map_or_else(String::new, |example| format!(", such as {}", quote(example)));
    format!("{} does not fit; wanted: {}{example}", quote(found), about.trim_end_matches('.'))
}
