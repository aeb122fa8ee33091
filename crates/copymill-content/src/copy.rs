//! Copy that passed its checks, compiled so that a row's values only have to be filled in.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    checks::{Texts, label},
    kind::Kind,
    names::{Names, Piece},
    render::{EmailSkeletons, Part, Renderer},
};

/// Copy that passed every check which does not depend on the row. Cheap to clone.
#[derive(Clone)]
pub struct Copy(Arc<CopyParts>);

/// What copy consists of.
pub(crate) struct CopyParts {
    content: String,
    /// The message as JSON text with places for the row's values.
    pub(crate) parts: Vec<Part>,
    /// Names of the row's values that the copy places.
    pub(crate) used: Vec<String>,
    /// Texts that a row's values are part of.
    pub(crate) open: Vec<OpenText>,
    /// Bytes of the parts that are the same for all rows.
    pub(crate) size: usize,
}

/// A text that is only known with a row's values.
pub(crate) struct OpenText {
    /// Its field, for reasons.
    pub(crate) label: String,
    /// The field's number in the kind.
    pub(crate) field: usize,
    /// What it is put together from.
    pub(crate) pieces: Vec<Piece>,
}

impl Copy {
    /// Compiles texts. Fails with the first name that the campaign does not have.
    pub(crate) fn compile(
        kind: &Kind,
        names: &Names,
        pages: &EmailSkeletons,
        texts: &Texts,
    ) -> Result<Self, String> {
        let (parts, used) = Renderer::new(kind, names, pages).compile(texts)?;
        let mut open = Vec::new();
        for (name, items) in texts {
            let (number, _, field) = kind.fields.get_full(name.as_str()).ok_or_else(|| name.clone())?;
            for (index, text) in items.iter().enumerate() {
                let pieces = names.cut(text)?;
                if pieces.iter().any(|piece| matches!(piece, Piece::Name(_))) {
                    open.push(OpenText { label: label(name, field, index), field: number, pieces });
                }
            }
        }
        let literal = |part: &Part| if let Part::Literal(text) = part { text.len() } else { 0 };
        let size = parts.iter().map(literal).sum();
        Ok(Self(Arc::new(CopyParts { content: content_json(kind, texts), parts, used, open, size })))
    }

    /// What was written, merge fields included: a JSON object of the kind's fields.
    pub fn content_json(&self) -> &str {
        &self.0.content
    }

    pub(crate) fn parts(&self) -> &CopyParts {
        &self.0
    }
}

fn content_json(kind: &Kind, texts: &Texts) -> String {
    let value = |(name, items): (&String, &Vec<String>)| {
        let list = kind.fields[name.as_str()].items.is_some();
        let value = if list { Value::from(items.clone()) } else { Value::from(items.concat()) };
        (name.clone(), value)
    };
    Value::Object(texts.iter().map(value).collect::<Map<_, _>>()).to_string()
}
