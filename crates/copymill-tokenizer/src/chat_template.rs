//! Puts a system text and a user text into a model's chat template, as trusted and untrusted segments.
//!
//! The template is rendered once, at construction, with random sentinels in place of the two texts. What stands around
//! the sentinels is the template's own and may become control tokens; a prompt is then only concatenation, and no text
//! of a campaign or a recipient ever passes through Jinja.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::PathBuf;

use minijinja::{Value, context};

use crate::gguf::Gguf;
use crate::segment::{Segment, Trust};
use crate::vocabulary::Vocabulary;

mod jinja;
#[cfg(test)]
mod tests;

use jinja::{Jinja, Tokens};

/// Between a system text and a user text where the template has no place for the former.
const MERGED_SEPARATOR: &str = "\n\n";

/// Why a model's chat template cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the chat template of {} is refused: {problem}; choose another model or give this one another template", path.display())]
pub struct TemplateError {
    /// The model file.
    pub path: PathBuf,
    /// What the template did.
    pub problem: String,
}

/// A model's way to write a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatTemplate {
    before_system: String,
    system: Frame,
    before_user: String,
    user: Frame,
    after_user: String,
}

/// Plain text around an untrusted text, tokenised together with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Frame {
    prefix: String,
    suffix: &'static str,
}

/// How the two texts are offered to a template.
#[derive(Clone, Copy)]
struct Offer {
    merges_system: bool,
    content_is_parts: bool,
}

impl ChatTemplate {
    /// Renders the file's template once and keeps what stands around the texts.
    ///
    /// A template without a system role gets the system text at the head of the user's turn. One that drops, doubles
    /// or reorders a text is refused. A file without a template gets a plain completion prompt.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, TemplateError> {
        let Some(text) = gguf.chat_template() else { return Ok(Self::plain()) };
        let vocabulary = Vocabulary::of(gguf);
        let tokens = Tokens { bos: vocabulary.text(vocabulary.bos), eos: vocabulary.text(vocabulary.eos) };
        Self::from_text(text, tokens, vocabulary.adds_bos)
            .map_err(|problem| TemplateError { path: gguf.path().to_owned(), problem })
    }

    fn from_text(text: &str, tokens: Tokens<'_>, adds_bos: bool) -> Result<Self, String> {
        let jinja = Jinja::new(text).map_err(|error| error.to_string())?;
        let mut skeleton = find_skeleton(&jinja, tokens)?;
        skeleton.keep_one_bos(tokens.bos, adds_bos);
        skeleton.close_thought();
        Ok(skeleton.into_template())
    }

    /// The prompt of a model that was not trained on conversations: the two texts, one after the other.
    fn plain() -> Self {
        let system = Frame { prefix: String::new(), suffix: MERGED_SEPARATOR };
        let user = Frame { prefix: String::new(), suffix: "\n" };
        let [before_system, before_user, after_user] = Default::default();
        Self { before_system, system, before_user, user, after_user }
    }

    /// Returns the prompt's segments, up to and with the beginning of the model's own turn.
    ///
    /// BOS is not among them where the model asks for it: the tokenizer adds it.
    pub fn render(&self, system: &str, user: &str) -> Vec<Segment> {
        let mut segments = self.system_part(system);
        segments.push(self.user_segment(user));
        segments.push(self.closing_segment());
        segments.retain(|segment| !segment.text.is_empty());
        segments
    }

    /// What prompts with the same system text begin with.
    pub(crate) fn system_part(&self, system: &str) -> Vec<Segment> {
        let system = self.system.untrusted(system);
        let segments = [template(&self.before_system), system, template(&self.before_user)];
        segments.into_iter().filter(|segment| !segment.text.is_empty()).collect()
    }

    /// The user's own part.
    pub(crate) fn user_segment(&self, user: &str) -> Segment {
        self.user.untrusted(user)
    }

    /// What every prompt ends with; may be empty.
    pub(crate) fn closing_segment(&self) -> Segment {
        template(&self.after_user)
    }
}

impl Frame {
    fn untrusted(&self, text: &str) -> Segment {
        let text = if text.is_empty() { String::new() } else { [&self.prefix, text, self.suffix].concat() };
        Segment { text, trust: Trust::Untrusted }
    }
}

/// A rendered template, cut at the sentinels.
#[derive(PartialEq, Eq)]
struct Skeleton {
    before_system: String,
    before_user: String,
    after_user: String,
    merges_system: bool,
}

impl Skeleton {
    /// Leaves BOS to the tokenizer where that adds it, and otherwise keeps at most one.
    fn keep_one_bos(&mut self, bos: &str, adds_bos: bool) {
        if bos.is_empty() || !self.before_system.starts_with(bos) {
            return;
        }
        let rest = self.before_system.trim_start_matches(bos);
        self.before_system = if adds_bos { rest.to_owned() } else { [bos, rest].concat() };
    }

    /// Ends a thought that the template opens whatever it is asked: the answer is not to be written inside it.
    fn close_thought(&mut self) {
        let written = self.after_user.trim_end();
        if written.ends_with("<think>") {
            self.after_user = [written, "\n\n</think>\n\n"].concat();
        }
    }

    fn into_template(mut self) -> ChatTemplate {
        let mut system = Frame { prefix: take_trailing_spaces(&mut self.before_system), suffix: "" };
        let mut user = Frame { prefix: take_trailing_spaces(&mut self.before_user), suffix: "" };
        if self.merges_system {
            system.suffix = MERGED_SEPARATOR;
            self.before_user.clear();
            user.prefix.clear();
        }
        let Self { before_system, before_user, after_user, .. } = self;
        ChatTemplate { before_system, system, before_user, user, after_user }
    }
}

/// Moves spaces from a template's text to the text that follows: models know a word and the space before it as one
/// token, and a space is the same token in trusted and untrusted text.
fn take_trailing_spaces(text: &mut String) -> String {
    let kept = text.trim_end_matches(' ').len();
    text.split_off(kept)
}

fn template(text: &str) -> Segment {
    Segment { text: text.to_owned(), trust: Trust::Template }
}

/// Tries the ways in which templates take messages, the richest first; reports what the first one met.
fn find_skeleton(jinja: &Jinja, tokens: Tokens<'_>) -> Result<Skeleton, String> {
    let offers = [(false, false), (true, false), (false, true), (true, true)];
    let mut first_problem = None;
    for (merges_system, content_is_parts) in offers {
        let offer = Offer { merges_system, content_is_parts };
        match stable_skeleton(jinja, tokens, offer) {
            Ok(skeleton) => return Ok(skeleton),
            Err(problem) => first_problem = first_problem.or(Some(problem)),
        }
    }
    Err(first_problem.unwrap_or_default())
}

/// Renders twice: a template that looks into the texts gives different surroundings for different sentinels.
fn stable_skeleton(jinja: &Jinja, tokens: Tokens<'_>, offer: Offer) -> Result<Skeleton, String> {
    let skeleton = render_skeleton(jinja, tokens, offer)?;
    if skeleton != render_skeleton(jinja, tokens, offer)? {
        return Err("what it writes depends on the messages' texts".to_owned());
    }
    Ok(skeleton)
}

fn render_skeleton(jinja: &Jinja, tokens: Tokens<'_>, offer: Offer) -> Result<Skeleton, String> {
    let [system, user, dump] = ["s", "u", "d"].map(sentinel);
    let messages = offer.messages([&system, &user, &dump]);
    let rendered = jinja.render(&messages, tokens).map_err(|error| error.to_string())?;
    if rendered.contains(&dump) {
        return Err("it prints a message's parts as data".to_owned());
    }
    for (what, sentinel) in [("system", &system), ("user", &user)] {
        match rendered.matches(sentinel.as_str()).count() {
            1 => {}
            0 => return Err(format!("it leaves the {what} text out")),
            count => return Err(format!("it writes the {what} text {count} times")),
        }
    }
    let cut = rendered.split_once(&system).and_then(|(before, rest)| Some((before, rest.split_once(&user)?)));
    let Some((before_system, (before_user, after_user))) = cut else {
        return Err("it writes the user text before the system text".to_owned());
    };
    if offer.merges_system && before_user != MERGED_SEPARATOR {
        return Err("it changes the user text".to_owned());
    }
    Ok(Skeleton {
        before_system: before_system.to_owned(),
        before_user: before_user.to_owned(),
        after_user: after_user.to_owned(),
        merges_system: offer.merges_system,
    })
}

impl Offer {
    /// The messages, with a word that shows up only where a template prints a part instead of its text.
    fn messages(self, [system, user, dump]: [&str; 3]) -> Value {
        let content = |text: &str| match self.content_is_parts {
            true => Value::from(vec![context! { type => "text", text, dump }]),
            false => Value::from(text),
        };
        let message = |role: &str, text: &str| context! { role, content => content(text) };
        Value::from(match self.merges_system {
            true => vec![message("user", &[system, MERGED_SEPARATOR, user].concat())],
            false => vec![message("system", system), message("user", user)],
        })
    }
}

/// A word that no template contains. Letters and digits only, so that escaping and trimming leave it as it is.
fn sentinel(label: &str) -> String {
    let [high, low] = [(); 2].map(|()| RandomState::new().hash_one(label));
    format!("{label}{high:016x}{low:016x}{label}")
}
