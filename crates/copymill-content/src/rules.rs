//! What copy of a campaign must hold to, whoever wrote it: the model or, for a fallback, the user.

use copymill_campaign::Accepted;

use crate::{
    checks::{self, Allowed, Banned, Echo, Findings, Texts, codes, label},
    hints,
    kind::{Field, Kind, Layout},
    names::{Names, Source, bare, placed},
};

/// A campaign's checks, compiled.
pub(crate) struct Rules {
    pub(crate) kind: Kind,
    pub(crate) names: Names,
    pub(crate) banned: Banned,
    facts: Allowed,
    echo: Echo,
    must_use: Vec<String>,
}

impl Rules {
    /// `instructions` are the prompt's own words, without the brief and the facts: copy may quote those.
    pub(crate) fn new(campaign: &Accepted, kind: Kind, names: Names, instructions: &str) -> Self {
        let file = &campaign.file;
        let asks = kind.fields.values().map(|field| field.ask.as_str());
        let hints = hints::words();
        let instructions = [instructions, kind.task.as_str(), hints.as_str()];
        let instructions: Vec<&str> = instructions.into_iter().chain(asks).collect();
        let known = file.facts.values().map(String::as_str).chain([file.brief.brand.as_str()]);
        Self {
            banned: Banned::new(&file.checks.banned),
            facts: Allowed::of(known),
            echo: Echo::new(&instructions),
            must_use: file.checks.must_use.clone(),
            kind,
            names,
        }
    }

    /// Runs the checks that do not depend on the row, but for what the row's fields in the prompt allow to say.
    pub(crate) fn check(&self, texts: &Texts, of_row: &Allowed) -> Findings {
        let mut findings = Findings::default();
        checks::fields(&self.kind, texts, &mut findings);
        for (name, items) in texts {
            let Some(field) = self.kind.fields.get(name) else { continue };
            for (index, text) in items.iter().enumerate() {
                self.check_text((&label(name, field, index), field), text, of_row, &mut findings);
            }
        }
        let written: Vec<String> = texts.values().flatten().map(|text| bare(text)).collect();
        checks::repetition(&written, &mut findings);
        self.check_must_use(texts, &mut findings);
        findings
    }

    /// Checks one text of an answer.
    pub(crate) fn check_text(
        &self,
        (label, field): (&str, &Field),
        text: &str,
        of_row: &Allowed,
        findings: &mut Findings,
    ) {
        let shown = match self.names.show(text) {
            Ok(shown) => shown,
            Err(name) => {
                let message = format!("`{name}` is no merge field of the campaign");
                return findings.add(codes::UNKNOWN_MERGE_FIELD, Some(label), message);
            }
        };
        if let Some(name) = placed(text).find(|name| self.kind.places.iter().any(|place| place == name)) {
            let message = format!("`{name}` is placed by the renderer, not by copy");
            findings.add(codes::UNKNOWN_MERGE_FIELD, Some(label), message);
        }
        let reader_sees = shown.same_for_all();
        let written = bare(text);
        checks::form(label, field, text, findings);
        self.check_shown((label, field), &reader_sees, findings);
        for claim in checks::unsupported(&shown, &self.facts, of_row) {
            findings.add(claim.class.code(), Some(label), claim.message());
        }
        checks::leftovers(label, &written, findings);
        self.echo.check(label, &written, findings);
    }

    /// Checks a text as its reader sees it: its length, its characters, and phrases that the campaign bans.
    pub(crate) fn check_shown(&self, (label, field): (&str, &Field), shown: &str, findings: &mut Findings) {
        checks::length(label, shown, (field.max, field.unit), findings);
        checks::forbidden(label, field, shown, findings);
        if let Some(phrase) = self.banned.find(shown) {
            findings.add(codes::BANNED_PHRASE, Some(label), format!("it holds `{phrase}`"));
        }
    }

    /// A fact counts as used where copy places or spells it, or where the renderer places it.
    fn check_must_use(&self, texts: &Texts, findings: &mut Findings) {
        let by_renderer = |name: &String| {
            self.kind.places.contains(name)
                || self.kind.layout_names().any(|placed| placed == name)
                || (name == "brand" && self.kind.render == Layout::Email)
        };
        for name in self.must_use.iter().filter(|name| !by_renderer(name)) {
            let mut texts = texts.values().flatten();
            let used = match self.names.get(name) {
                Some(Source::Fixed(value)) => {
                    texts.any(|text| places(text, name) || text.contains(value.as_str()))
                }
                _ => texts.any(|text| places(text, name)),
            };
            if !used {
                findings.add(codes::MISSING_FACT, None, format!("the message does not hold `{name}`"));
            }
        }
    }
}

fn places(text: &str, name: &str) -> bool {
    placed(text).any(|other| other == name)
}
