//! Merge names: what copy may place, and where each value comes from.

use copymill_campaign::Accepted;
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

    /// Cuts a text at its merge fields. Fails with the first name that is none, or the brackets that hold none.
    pub(crate) fn cut(&self, text: &str) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("[[") {
            literal.push_str(&rest[..start]);
            let inside = &rest[start + 2..];
            let end = inside.find("]]").ok_or_else(|| "[[ without ]]".to_owned())?;
            let name = &inside[..end];
            match self.sources.get(name) {
                Some(Source::Fixed(value)) => literal.push_str(value),
                Some(Source::Column { .. }) => {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    pieces.push(Piece::Name(name.to_owned()));
                }
                None => return Err(name.to_owned()),
            }
            rest = &inside[end + 2..];
        }
        if rest.contains("]]") {
            return Err("]] without [[".to_owned());
        }
        literal.push_str(rest);
        pieces.push(Piece::Literal(literal));
        pieces.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
        Ok(pieces)
    }
}

/// The names that a text places, in order.
pub(crate) fn placed(text: &str) -> impl Iterator<Item = &str> {
    text.split("[[").skip(1).filter_map(|rest| rest.split_once("]]")).map(|(name, _)| name)
}

/// A text without its merge fields; a space stands for each.
pub(crate) fn without_names(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[[") {
        bare.push_str(before);
        bare.push(' ');
        rest = after.split_once("]]").map_or("", |(_, after)| after);
    }
    bare.push_str(rest);
    bare
}
