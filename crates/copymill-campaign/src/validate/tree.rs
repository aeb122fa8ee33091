//! YAML as a tree with positions.
//!
//! Built from the parser's events, so that every limit holds before memory is spent: bytes, depth, and no aliases at
//! all, because a few of them can stand for gigabytes.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::{Map, Value};

use super::{
    Problem, Problems,
    key_path::{self, KeyPath},
    problem::quote,
    scalar::{self, write_quoted},
};

/// Bytes of a campaign file at most; a long one has some 10 KB.
const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Keys within keys at most; the deepest that a campaign file has is 4.
const DEPTH_MAX: usize = 16;

/// A YAML file: its value, and where everything in it stands.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) value: Value,
    places: HashMap<KeyPath, Place>,
}

/// Where one value stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Line and column of its key; of the value where it has none.
    key: (usize, usize),
    value: (usize, usize),
    /// The value as written, where it is a plain scalar that some reader takes for something else than text.
    pub(super) unquoted: Option<Unquoted>,
}

/// A scalar that needs quotes to be text.
#[derive(Debug, Clone)]
pub(super) struct Unquoted {
    pub(super) text: String,
    pub(super) taken_for: &'static str,
    /// The tree holds it as text, so that the schema has nothing against it; readers of YAML 1.1 would change it.
    pub(super) read_as_text: bool,
}

impl Tree {
    /// A value that was not read from a file.
    pub(super) fn without_places(value: Value) -> Self {
        Self { value, places: HashMap::new() }
    }

    pub(super) fn place(&self, key: &KeyPath) -> Option<&Place> {
        self.places.get(key)
    }

    /// All places with an unquoted scalar, in no order.
    pub(super) fn unquoted(&self) -> impl Iterator<Item = (&KeyPath, &Unquoted)> {
        self.places.iter().filter_map(|(key, place)| Some((key, place.unquoted.as_ref()?)))
    }

    pub(super) fn position(&self, key: &str) -> (usize, usize) {
        let mut key = Some(key);
        while let Some(name) = key {
            if let Some(place) = self.places.get(name) {
                let on_one_line = place.key.0 == place.value.0;
                return if on_one_line { place.value } else { place.key };
            }
            key = key_path::parent(name);
        }
        (1, 1)
    }

    /// A problem with a value.
    pub(super) fn problem(&self, path: &str, key: &KeyPath, message: impl Into<String>) -> Problem {
        self.problem_at(path, key, self.position(key.as_str()), message)
    }

    /// A problem with a key itself, such as one that nobody knows.
    pub(super) fn key_problem(&self, path: &str, key: &KeyPath, message: impl Into<String>) -> Problem {
        let position = self.place(key).map_or_else(|| self.position(key.as_str()), |place| place.key);
        self.problem_at(path, key, position, message)
    }

    fn problem_at(
        &self,
        path: &str,
        key: &KeyPath,
        at: (usize, usize),
        message: impl Into<String>,
    ) -> Problem {
        let (line, column) = at;
        Problem { path: path.to_owned(), line, column, key: key.as_str().to_owned(), message: message.into() }
    }
}

impl std::borrow::Borrow<str> for KeyPath {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// Reads YAML. What can be read around is in the second part: keys given twice, tags, aliases.
pub(super) fn read(text: &str, path: &str) -> Result<(Tree, Vec<Problem>), Problems> {
    let mut builder = Builder::new(path);
    if text.len() > FILE_BYTES_MAX {
        let message =
            format!("the file has {} bytes; a campaign file has at most {FILE_BYTES_MAX}", text.len());
        return Err(builder.fail((1, 1), message));
    }
    for event in Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => return Err(builder.fail(position(error.marker()), explain(&error))),
        }
    }
    match builder.root.take() {
        Some(value @ Value::Object(_)) => Ok((Tree { value, places: builder.places }, builder.problems)),
        None | Some(Value::Null) => {
            Err(builder.fail((1, 1), "the file is empty; `copymill init` writes one to start from"))
        }
        Some(_) => {
            Err(builder.fail((1, 1), "the file must consist of keys, such as `campaign: spring-sale`"))
        }
    }
}

struct Builder<'a> {
    path: &'a str,
    root: Option<Value>,
    /// Lists and mappings that are open, outermost first.
    open: Vec<Open>,
    places: HashMap<KeyPath, Place>,
    problems: Vec<Problem>,
}

struct Open {
    path: KeyPath,
    items: Items,
}

enum Items {
    List(Vec<Value>),
    Keys { map: Map<String, Value>, key: Option<Key> },
}

/// A key whose value has not come yet.
struct Key {
    name: String,
    at: (usize, usize),
    /// The key stands a second time: its value is read and dropped.
    again: bool,
}

impl<'a> Builder<'a> {
    fn new(path: &'a str) -> Self {
        Self { path, root: None, open: Vec::new(), places: HashMap::new(), problems: Vec::new() }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problems> {
        let at = position(&span.start);
        match event {
            Event::Scalar(text, style, _, tag) => self.scalar(&text, style, tag.as_deref(), at),
            Event::SequenceStart(..) | Event::MappingStart(..) if self.open.len() >= DEPTH_MAX => {
                Err(self
                    .fail(at, format!("keys and lists are nested too deeply; {DEPTH_MAX} levels are read")))
            }
            Event::SequenceStart(_, tag) => self.begin(at, tag.as_deref(), Items::List(Vec::new())),
            Event::MappingStart(_, tag) => {
                self.begin(at, tag.as_deref(), Items::Keys { map: Map::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.end();
                Ok(())
            }
            Event::Alias(_) => {
                self.note(
                    at,
                    "aliases such as `*name` are not read here; write the value out, or put it in quotes",
                );
                self.scalar("alias", ScalarStyle::DoubleQuoted, None, at)
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(self.fail(at, "a second document begins here; a campaign file has one"))
            }
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        at: (usize, usize),
    ) -> Result<(), Problems> {
        let text_tag = self.tag(tag, at);
        if self.awaits_key() {
            return self.key(text, style, at);
        }
        let (value, unquoted) = if style == ScalarStyle::Plain && !text_tag {
            let plain = scalar::read_plain(text);
            let read_as_text = plain.value.is_string();
            let unquoted = |taken_for| Unquoted { text: text.to_owned(), taken_for, read_as_text };
            (plain.value, plain.taken_for.map(unquoted))
        } else {
            (Value::String(text.to_owned()), None)
        };
        self.place(at, unquoted);
        self.attach(value);
        Ok(())
    }

    fn key(&mut self, text: &str, style: ScalarStyle, at: (usize, usize)) -> Result<(), Problems> {
        let taken_for = if style == ScalarStyle::Plain { scalar::read_plain(text).taken_for } else { None };
        if let Some(taken_for) = taken_for {
            let message =
                format!("the key {} is {taken_for} to YAML; write {}", quote(text), write_quoted(text));
            self.note(at, message);
        }
        let Some(Open { path, items: Items::Keys { map, key }, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        let again = map.contains_key(text);
        *key = Some(Key { name: text.to_owned(), at, again });
        if again {
            let path = path.key(text);
            let first = self.places.get(&path).map_or((1, 1), |place| place.key);
            let (line, column) = at;
            let message = format!("the key is there twice; it was given in line {} already", first.0);
            let key = path.as_str().to_owned();
            self.problems.push(Problem { path: self.path.to_owned(), line, column, key, message });
        }
        Ok(())
    }

    fn begin(&mut self, at: (usize, usize), tag: Option<&Tag>, items: Items) -> Result<(), Problems> {
        self.tag(tag, at);
        if self.awaits_key() {
            let message =
                "a list or mapping cannot be a key; a text that begins with `[` or `{` needs quotes";
            return Err(self.fail(at, message));
        }
        self.place(at, None);
        let path = self.path();
        self.open.push(Open { path, items });
        Ok(())
    }

    fn end(&mut self) {
        let value = match self.open.pop() {
            Some(Open { items: Items::List(items), .. }) => Value::Array(items),
            Some(Open { items: Items::Keys { map, .. }, .. }) => Value::Object(map),
            None => return,
        };
        self.attach(value);
    }

    /// Whether the next node is a key.
    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { items: Items::Keys { key: None, .. }, .. }))
    }

    /// The path of the next value.
    fn path(&self) -> KeyPath {
        match self.open.last() {
            Some(Open { path, items: Items::Keys { key: Some(key), .. }, .. }) => path.key(&key.name),
            Some(Open { path, items: Items::List(items), .. }) => path.index(items.len()),
            _ => KeyPath::root(),
        }
    }

    fn place(&mut self, at: (usize, usize), unquoted: Option<Unquoted>) {
        let key = match self.open.last() {
            Some(Open { items: Items::Keys { key: Some(key), .. }, .. }) => key.at,
            _ => at,
        };
        let path = self.path();
        // What stands first wins, as in `attach`: positions of a key's second value are of no use.
        self.places.entry(path).or_insert(Place { key, value: at, unquoted });
    }

    fn attach(&mut self, value: Value) {
        match self.open.last_mut().map(|open| &mut open.items) {
            Some(Items::List(items)) => items.push(value),
            Some(Items::Keys { map, key }) => {
                if let Some(key) = key.take().filter(|key| !key.again) {
                    map.insert(key.name, value);
                }
            }
            None => self.root = Some(value),
        }
    }

    /// Notes a tag that is not for text; returns whether the tag makes the scalar a text.
    fn tag(&mut self, tag: Option<&Tag>, at: (usize, usize)) -> bool {
        let Some(tag) = tag else { return false };
        let text = (tag.is_yaml_core_schema() && tag.suffix == "str")
            || (tag.handle.is_empty() && tag.suffix == "!");
        if !text {
            self.note(
                at,
                format!(
                    "the tag {} is not read here; a text that begins with `!` needs quotes",
                    quote(&tag.to_string())
                ),
            );
        }
        text
    }

    /// Notes a problem and reads on.
    fn note(&mut self, (line, column): (usize, usize), message: impl Into<String>) {
        let key = self.path().as_str().to_owned();
        self.problems.push(Problem {
            path: self.path.to_owned(),
            line,
            column,
            key,
            message: message.into(),
        });
    }

    /// Notes a problem after which nothing can be read.
    fn fail(&mut self, at: (usize, usize), message: impl Into<String>) -> Problems {
        self.note(at, message);
        Problems::new(std::mem::take(&mut self.problems))
    }
}

fn position(marker: &Marker) -> (usize, usize) {
    (marker.line().max(1), marker.col() + 1)
}

/// The parser's words, and what most likely led to them.
fn explain(error: &ScanError) -> String {
    const HINTS: [(&str, &str); 8] = [
        ("recursion", "keys and lists are nested too deeply"),
        ("tab", "YAML is indented with spaces, not with tabs"),
        ("anchor", "a text that begins with `*` or `&` needs quotes"),
        (
            "quoted scalar",
            "a quote that is opened must be closed, and `\\` in double quotes is written `\\\\`",
        ),
        (
            "block mapping",
            "check the indentation here and above; a text that begins with `[`, `{` or a quote and goes on after it needs quotes around all of it",
        ),
        ("flow", "a text that begins with `[` or `{` needs quotes"),
        ("tag", "a text that begins with `!` needs quotes"),
        ("directive", "a text that begins with `%` needs quotes"),
    ];
    let info = error.info();
    let hint = HINTS.iter().find(|(word, _)| info.contains(word)).map_or(
        "check the indentation here and above; a text that holds `: ` or ` #`, or begins with a sign such as `@`, needs quotes",
        |(_, hint)| hint,
    );
    format!("this is not valid YAML ({info}); {hint}")
}
