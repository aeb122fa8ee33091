//! Kinds: what is written is data, not code.

mod pattern;

use copymill_campaign::nearest;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use pattern::Pattern;

const BUILT_IN: [(&str, &str); 8] = [
    ("email", include_str!("../kinds/email.yaml")),
    ("google_rsa", include_str!("../kinds/google_rsa.yaml")),
    ("social_post", include_str!("../kinds/social_post.yaml")),
    ("sms", include_str!("../kinds/sms.yaml")),
    ("product_description", include_str!("../kinds/product_description.yaml")),
    ("press_release", include_str!("../kinds/press_release.yaml")),
    ("seo_article", include_str!("../kinds/seo_article.yaml")),
    ("text", include_str!("../kinds/text.yaml")),
];

/// A kind of message: its fields, their limits, what the model is asked, how it is rendered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Its name.
    pub kind: String,
    /// Version of the format: 1.
    pub version: u32,
    /// One sentence for people.
    pub description: String,
    /// The first sentence of the prompt.
    pub task: String,
    /// How fields become a message.
    pub render: Layout,
    /// The message's text for `render: text`, with `{field}` and `{fact}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// Limit of the message's whole text for `render: text`, links included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// Facts that a campaign must give.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Facts that the renderer places; the model is not offered them.
    #[serde(default)]
    pub places: Vec<String>,
    /// The prompt, where the kind has its own: above a line `---` for the campaign, below it for the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Fields in the order in which they are written.
    pub fields: IndexMap<String, Field>,
}

/// How fields become a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// An e-mail: HTML and a text part.
    Email,
    /// One text, by the kind's layout.
    Text,
    /// The fields as they are.
    Fields,
}

/// A field that the model fills in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// What the prompt asks for.
    pub ask: String,
    /// Limit of the rendered text, of each item where it is a list, in `unit`.
    pub max: usize,
    /// What the limit counts.
    #[serde(default)]
    pub unit: Unit,
    /// Makes it a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Items>,
    /// Whether items must differ.
    #[serde(default)]
    pub distinct: bool,
    /// Characters that must not appear.
    #[serde(default)]
    pub forbid: String,
    /// A regular expression that each text matches whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
    /// What stands between items in a layout.
    #[serde(default = "line_end")]
    pub join: String,
    /// What stands before each item in a layout.
    #[serde(default)]
    pub prefix: String,
}

/// How many items a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Items {
    /// At least.
    pub min: usize,
    /// At most.
    pub max: usize,
}

/// How long a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// At most so many.
    pub max: usize,
    /// What is counted.
    #[serde(default)]
    pub unit: Unit,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Unicode code points.
    #[default]
    Characters,
    /// Display width: East Asian wide characters count two.
    Width,
    /// Units of a text message of 160: GSM-7 septets, or 160/70 for each UTF-16 unit of any other text.
    Sms,
}

/// A kind's file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct KindError {
    /// The file.
    pub origin: String,
    /// What is wrong and where.
    pub message: String,
}

impl Kind {
    /// Names of the built-in kinds.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The text of a built-in kind's file.
    pub fn built_in_text(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|(built_in, _)| *built_in == name).map(|(_, text)| *text)
    }

    /// A built-in kind.
    pub fn built_in(name: &str) -> Option<Self> {
        Self::built_in_text(name).map(|text| Self::parse(text, name).expect("built-in kinds are tested"))
    }

    /// Reads a kind's file; `origin` is its name in errors.
    pub fn parse(text: &str, origin: &str) -> Result<Self, KindError> {
        let error = |message: String| KindError { origin: origin.to_owned(), message };
        let kind: Self = serde_saphyr::from_str(text).map_err(|e| error(e.to_string()))?;
        kind.check().map_err(error)?;
        Ok(kind)
    }

    /// Reads a kind from an accepted campaign.
    pub fn from_value(value: &Value) -> Result<Self, KindError> {
        let error = |message: String| KindError { origin: "the campaign's kind".into(), message };
        let kind: Self = serde_json::from_value(value.clone()).map_err(|e| error(e.to_string()))?;
        kind.check().map_err(error)?;
        Ok(kind)
    }

    /// The kind as an accepted campaign keeps it.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a kind serialises")
    }

    fn check(&self) -> Result<(), String> {
        if self.fields.is_empty() {
            return Err("a kind needs at least one field".into());
        }
        for (name, field) in &self.fields {
            if let Some(items) = field.items
                && (items.min == 0 || items.max < items.min)
            {
                return Err(format!("fields.{name}.items: min is at least 1 and max at least min"));
            }
        }
        if self.render == Layout::Text && self.layout.is_none() {
            return Err("render: text needs a layout such as \"{text}\"".into());
        }
        self.check_layout()?;
        self.check_places()?;
        if self.render == Layout::Email {
            let parts = ["subject", "preheader", "headline", "body", "cta"];
            if let Some(part) = parts.iter().find(|part| !self.fields.contains_key(**part)) {
                return Err(format!("render: email needs a field `{part}`"));
            }
            if self.fields["body"].items.is_none() {
                return Err("fields.body of an e-mail is a list: give it items: { min: …, max: … }".into());
            }
        }
        Ok(())
    }
}

impl Kind {
    /// The names in the layout of a text: fields and facts.
    pub(crate) fn layout_names(&self) -> impl Iterator<Item = &str> {
        let layout = self.layout.as_deref().filter(|_| self.render == Layout::Text).unwrap_or_default();
        layout.split('{').skip(1).map(|part| part.split_once('}').map_or(part, |(name, _)| name))
    }

    /// What the renderer is said to place, it has to place: copy is not offered it, and `must_use` counts it as there.
    fn check_places(&self) -> Result<(), String> {
        let by_renderer: &[&str] = match self.render {
            Layout::Email => &["url", "brand", "address", "unsubscribe"],
            Layout::Fields => &["url"],
            Layout::Text => return Ok(()),
        };
        match self.places.iter().find(|name| !by_renderer.contains(&name.as_str())) {
            Some(name) => Err(format!(
                "places: `{name}` is placed by nobody; what is rendered so places {}",
                by_renderer.join(", ")
            )),
            None => Ok(()),
        }
    }

    /// A name in the layout that is nothing would leave its text out of every message.
    fn check_layout(&self) -> Result<(), String> {
        let facts = || self.needs.iter().chain(&self.places).map(String::as_str);
        for name in self.layout_names() {
            if self.fields.contains_key(name) || facts().any(|fact| fact == name) {
                continue;
            }
            let near = nearest(name, self.fields.keys().map(String::as_str).chain(facts()));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("layout: `{name}` is no field, and no fact of needs or places{hint}"));
        }
        let is_missing = |name: &&String| !self.layout_names().any(|placed| placed == name.as_str());
        match self.places.iter().find(is_missing).filter(|_| self.render == Layout::Text) {
            Some(name) => Err(format!("places: the layout does not hold {{{name}}}")),
            None => Ok(()),
        }
    }
}

fn line_end() -> String {
    "\n".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_be_placed_by_the_renderer_is_placed_by_it() {
        let email = Kind::built_in_text("email").unwrap();
        let changed = email.replacen("places: [", "places: [code, ", 1);
        assert_ne!(changed, email);
        let error = Kind::parse(&changed, "own.yaml").unwrap_err().to_string();
        assert!(error.contains("`code` is placed by nobody") && error.contains("unsubscribe"), "{error}");
    }

    #[test]
    fn every_built_in_kind_is_valid_and_survives_acceptance() {
        for name in Kind::built_in_names() {
            let kind = Kind::built_in(name).unwrap();
            assert_eq!(kind.kind, name);
            assert_eq!(Kind::from_value(&kind.to_value()).unwrap(), kind);
        }
    }

    #[test]
    fn a_mistake_in_a_kind_is_named() {
        let text = Kind::built_in_text("text").unwrap();
        let error =
            |from: &str, to: &str| Kind::parse(&text.replace(from, to), "mine.yaml").unwrap_err().to_string();
        assert!(error("task:", "tsk:").contains("tsk"));
        assert!(error("layout: \"{text}\"", "").contains("needs a layout"));
        assert!(error("render: text", "render: email").contains("`subject`"));
        let layout = error("{text}", "{txt}");
        assert!(
            layout.contains("layout: `txt` is no field") && layout.contains("did you mean `text`?"),
            "{layout}"
        );
        let places = error("task:", "places: [code]\ntask:");
        assert!(places.contains("places: the layout does not hold {code}"), "{places}");
        let pattern = error("max: 1100", "max: 1100, pattern: \"[\"");
        assert!(pattern.contains("the pattern \"[\" cannot be used"), "{pattern}");
    }
}
