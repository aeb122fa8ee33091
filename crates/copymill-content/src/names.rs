//! Merge names: what copy may place, and where each value comes from.

use std::ops::Range;

use copymill_campaign::{Accepted, is_merge_name};
use indexmap::IndexMap;

use crate::kind::Kind;

/// Where the value of a name comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A fact or the brand: the same for everybody.
    Fixed(String),
    /// A column of the row.
    Column {
        /// Its place in the row's values.
        index: usize,
        /// What stands for an empty value.
        default: Option<String>,
    },
}

/// A text cut at its merge fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text that is the same for everybody; facts are in it.
    Literal(String),
    /// A name whose value the row gives.
    Name(String),
}

/// Stands in a text where a recipient's value goes. It is taken out of everything else.
pub(crate) const MARKER: char = '\u{fffc}';

/// A text with facts filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The text; [`MARKER`] where a recipient's value goes.
    pub(crate) text: String,
    /// The bytes that are facts.
    facts: Vec<Range<usize>>,
}

/// A part of copy as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// The names of a campaign.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    sources: IndexMap<String, Source>,
    offered: Vec<String>,
}

impl Names {
    pub(crate) fn new(campaign: &Accepted, kind: &Kind) -> Self {
        let file = &campaign.file;
        let mut sources = IndexMap::new();
        for name in file.merge_fields(&campaign.columns) {
            if let Some(index) = campaign.columns.iter().position(|column| *column == name) {
                let default = file.audience.defaults.get(&name).cloned();
                sources.insert(name, Source::Column { index, default });
            }
        }
        for (name, value) in &file.facts {
            sources.insert(name.clone(), Source::Fixed(value.clone()));
        }
        sources.insert("brand".into(), Source::Fixed(file.brief.brand.clone()));
        let offered = sources.keys().filter(|name| !kind.places.contains(name)).cloned().collect();
        Self { sources, offered }
    }

    /// Names that the model may write.
    pub(crate) fn offered(&self) -> &[String] {
        &self.offered
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Source> {
        self.sources.get(name)
    }

    /// Cuts a text at its merge fields. Fails with the first name that is none.
    pub(crate) fn cut(&self, text: &str) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        for part in parts(text) {
            match part {
                Part::Text(text) => literal.push_str(text),
                Part::Name(name) => match self.sources.get(name) {
                    Some(Source::Fixed(value)) => literal.push_str(value),
                    Some(Source::Column { .. }) => {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                        pieces.push(Piece::Name(name.to_owned()));
                    }
                    None => return Err(name.to_owned()),
                },
            }
        }
        pieces.push(Piece::Literal(literal));
        pieces.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
        Ok(pieces)
    }

    /// Fills facts into a text. Fails with the first name that is none.
    pub(crate) fn show(&self, text: &str) -> Result<Shown, String> {
        let mut shown = Shown::default();
        for part in parts(text) {
            match part {
                Part::Text(text) => shown.text.extend(text.chars().filter(|c| *c != MARKER)),
                Part::Name(name) => match self.sources.get(name) {
                    Some(Source::Fixed(value)) => shown.fact(value),
                    Some(Source::Column { .. }) => shown.text.push(MARKER),
                    None => return Err(name.to_owned()),
                },
            }
        }
        Ok(shown)
    }
}

impl Shown {
    fn fact(&mut self, value: &str) {
        let begin = self.text.len();
        self.text.push_str(value);
        self.facts.push(begin..self.text.len());
    }

    /// Whether all of a range but its blanks is a fact's own text.
    pub(crate) fn is_fact(&self, range: &Range<usize>) -> bool {
        let inside = |at: usize| self.facts.iter().any(|fact| fact.contains(&at));
        self.text[range.clone()].char_indices().all(|(at, c)| c.is_whitespace() || inside(range.start + at))
    }

    /// The text without what differs by recipient: what no value could make shorter.
    pub(crate) fn same_for_all(&self) -> String {
        self.text.replace(MARKER, "")
    }
}

/// The names that a text places, in order.
pub(crate) fn placed(text: &str) -> impl Iterator<Item = &str> {
    parts(text).filter_map(|part| match part {
        Part::Name(name) => Some(name),
        Part::Text(_) => None,
    })
}

/// What the model itself wrote: a [`MARKER`] stands for each merge field.
pub(crate) fn bare(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) => bare.push_str(text),
            Part::Name(_) => bare.push(MARKER),
        }
    }
    bare
}

/// Splits copy at its merge fields. What only looks like one stays text.
fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    let mut name = None;
    std::iter::from_fn(move || {
        if let Some(name) = name.take() {
            return Some(Part::Name(name));
        }
        if rest.is_empty() {
            return None;
        }
        let Some((before, found, after)) = find_name(rest) else {
            return Some(Part::Text(std::mem::take(&mut rest)));
        };
        rest = after;
        if before.is_empty() {
            return Some(Part::Name(found));
        }
        name = Some(found);
        Some(Part::Text(before))
    })
}

/// The text before the next merge field, its name, and what follows.
fn find_name(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(begin) = text[from..].find("[[").map(|at| from + at) {
        let inner = &text[begin + 2..];
        let end = inner.find("]]")?;
        if is_merge_name(&inner[..end]) {
            return Some((&text[..begin], &inner[..end], &inner[end + 2..]));
        }
        from = begin + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn copy_is_split_at_names_and_nothing_else() {
        let split = |text| parts(text).collect::<Vec<_>>();
        assert_eq!(
            split("Hi [[first_name]], [[code]]"),
            [Part::Text("Hi "), Part::Name("first_name"), Part::Text(", "), Part::Name("code")]
        );
        for text in ["[[", "]]", "[[a b]]", "[x]", "[[]]", "a]][[b"] {
            assert_eq!(split(text), [Part::Text(text)]);
        }
        assert_eq!(split("[[[a]]]"), [Part::Text("["), Part::Name("a"), Part::Text("]")]);
        assert_eq!(split("[[x y [[a]]"), [Part::Text("[[x y "), Part::Name("a")]);
    }

    proptest! {
        #[test]
        fn splitting_loses_nothing(text in r"[\[\]a-z é]{0,40}") {
            let whole: String = parts(&text)
                .map(|part| match part {
                    Part::Text(text) => text.to_owned(),
                    Part::Name(name) => format!("[[{name}]]"),
                })
                .collect();
            prop_assert_eq!(whole, text);
        }
    }
}
