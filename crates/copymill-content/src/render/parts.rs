//! A message in parts: JSON text that is the same for all rows, and places for a row's values.

use super::{
    email::{EmailSkeletons, HtmlPiece},
    html, json_inside,
};
use crate::{
    checks::Texts,
    kind::{Kind, Layout},
    names::{Names, Piece, Source},
};

/// A part of a rendered message's JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// JSON text.
    Literal(String),
    /// A value of the row.
    Value {
        /// Which of the copy's names.
        name: usize,
        /// Whether it stands in HTML.
        html: bool,
    },
}

/// A row's value, escaped for both places.
pub(crate) struct Filled {
    pub(crate) plain: String,
    pub(crate) html: String,
}

impl Filled {
    pub(crate) fn new(value: &str) -> Self {
        Self { plain: json_inside(value), html: json_inside(&html(value)) }
    }
}

/// What is needed to render copy of one campaign.
pub(crate) struct Renderer<'a> {
    pub(crate) kind: &'a Kind,
    pub(crate) names: &'a Names,
    pub(crate) pages: &'a EmailSkeletons,
    /// Names of the row's values that the copy places.
    pub(crate) used: Vec<String>,
    parts: Vec<Part>,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(kind: &'a Kind, names: &'a Names, pages: &'a EmailSkeletons) -> Self {
        Self { kind, names, pages, used: Vec::new(), parts: Vec::new() }
    }

    /// Compiles copy whose merge fields are all known. Returns its parts and the names that they place.
    pub(crate) fn compile(mut self, texts: &Texts) -> Result<(Vec<Part>, Vec<String>), String> {
        self.json("{");
        match self.kind.render {
            Layout::Email => self.email(texts)?,
            Layout::Text => {
                self.all_fields(texts, "text")?;
                self.key("text");
                self.json("\"");
                self.layout(texts)?;
                self.json("\"");
            }
            Layout::Fields => {
                self.all_fields(texts, "final_url")?;
                if let Some(Source::Fixed(url)) = self.names.get("url") {
                    self.key("final_url");
                    self.json(&format!("\"{}\"", json_inside(url)));
                }
            }
        }
        self.json("}");
        Ok((self.parts, self.used))
    }

    fn email(&mut self, texts: &Texts) -> Result<(), String> {
        for (index, name) in ["subject", "preheader"].into_iter().enumerate() {
            self.json(&format!("{}\"{name}\":\"", if index > 0 { "," } else { "" }));
            self.copy(first(texts, name), false)?;
            self.json("\"");
        }
        self.json(",\"html\":\"");
        let empty = Vec::new();
        let body = texts.get("body").unwrap_or(&empty);
        for piece in self.pages.page(body.len()) {
            match piece {
                HtmlPiece::Markup(markup) => self.json(&json_inside(markup)),
                HtmlPiece::Text(name, index) => match texts.get(name).and_then(|items| items.get(*index)) {
                    Some(text) => self.copy(text, true)?,
                    None => self.fact(name, true),
                },
            }
        }
        self.json("\",\"text\":\"");
        self.copy(first(texts, "headline"), false)?;
        for paragraph in body {
            self.json("\\n\\n");
            self.copy(paragraph, false)?;
        }
        self.json("\\n\\n");
        self.copy(first(texts, "cta"), false)?;
        self.json(":\\n");
        self.fact("url", false);
        self.json("\\n\\n-- \\n");
        self.fact("brand", false);
        let unsubscribe = format!("{}: ", self.pages.unsubscribe);
        for (name, label) in [("address", ""), ("unsubscribe", unsubscribe.as_str())] {
            if self.names.get(name).is_some() {
                self.json(&format!("\\n{label}"));
                self.fact(name, false);
            }
        }
        self.json("\"");
        Ok(())
    }

    /// Every field but one whose key the renderer writes itself.
    fn all_fields(&mut self, texts: &Texts, reserved: &str) -> Result<(), String> {
        for (name, field) in self.kind.fields.iter().filter(|(name, _)| *name != reserved) {
            self.key(name);
            let items = texts.get(name).map_or(&[][..], Vec::as_slice);
            if field.items.is_some() {
                self.json("[");
            }
            for (index, item) in items.iter().enumerate() {
                self.json(if index > 0 { ",\"" } else { "\"" });
                self.copy(item, false)?;
                self.json("\"");
            }
            if field.items.is_some() {
                self.json("]");
            }
        }
        Ok(())
    }

    /// The kind's layout: `{field}` and `{fact}` are replaced, a fact that is not given leaves nothing.
    fn layout(&mut self, texts: &Texts) -> Result<(), String> {
        let kind = self.kind;
        let mut rest = kind.layout.as_deref().unwrap_or_default().trim();
        while let Some((before, after)) = rest.split_once('{') {
            self.json(&json_inside(before));
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            match (texts.get(name), kind.fields.get(name)) {
                (Some(items), Some(field)) => {
                    for (index, item) in items.iter().enumerate() {
                        if index > 0 {
                            self.json(&json_inside(&field.join));
                        }
                        self.json(&json_inside(&field.prefix));
                        self.copy(item, false)?;
                    }
                }
                _ => self.fact(name, false),
            }
            rest = after;
        }
        self.json(&json_inside(rest));
        Ok(())
    }

    fn fact(&mut self, name: &str, in_html: bool) {
        if let Some(Source::Fixed(value)) = self.names.get(name) {
            let value = if in_html { html(value) } else { value.clone() };
            self.json(&json_inside(&value));
        }
    }

    fn copy(&mut self, text: &str, in_html: bool) -> Result<(), String> {
        for piece in self.names.cut(text)? {
            match piece {
                Piece::Literal(text) if in_html => self.json(&json_inside(&html(&text))),
                Piece::Literal(text) => self.json(&json_inside(&text)),
                Piece::Name(name) => {
                    let place = self.used.iter().position(|used| *used == name);
                    let place = place.unwrap_or_else(|| {
                        self.used.push(name);
                        self.used.len() - 1
                    });
                    self.parts.push(Part::Value { name: place, html: in_html });
                }
            }
        }
        Ok(())
    }

    fn key(&mut self, name: &str) {
        let is_first = matches!(self.parts.as_slice(), [Part::Literal(text)] if text == "{");
        self.json(&format!("{}\"{}\":", if is_first { "" } else { "," }, json_inside(name)));
    }

    fn json(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Literal(literal)) => literal.push_str(text),
            _ => self.parts.push(Part::Literal(text.to_owned())),
        }
    }
}

fn first<'a>(texts: &'a Texts, name: &str) -> &'a str {
    texts.get(name).and_then(|items| items.first()).map_or("", String::as_str)
}
