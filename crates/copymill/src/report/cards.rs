//! Cards of the gallery: a message as its recipient would see it, and how it came about.

use copymill_campaign::{OutputLine, Rendered};
use minijinja::{Value, context};

use super::Subject;
use super::copy_text::{Content, fill, mask, texts};
use super::gallery::Gallery;
use super::pass::parsed;
use super::words::{number, plain};

/// Headlines and descriptions that a search ad shows at once.
const AD_HEADLINES: usize = 3;
const AD_DESCRIPTIONS: usize = 2;

/// The gallery's groups with their cards.
pub(super) fn groups(subject: &Subject, gallery: Gallery) -> Value {
    let groups = gallery.into_groups().map(|group| {
        let cards: Vec<Value> = group.lines.iter().map(|line| card(subject, line)).collect();
        context! { title => group.title, about => group.about, anchor => group.anchor, cards }
    });
    groups.collect()
}

fn card(subject: &Subject, line: &OutputLine) -> Value {
    let content = parsed(line.content.as_deref());
    let rendered: Option<Rendered> =
        line.rendered.as_ref().and_then(|rendered| serde_json::from_str(rendered.get()).ok());
    let reasons = line.reasons.iter().map(|reason| {
        context! { attempt => reason.attempt, message => reason.message.as_str(), code => reason.code.as_str() }
    });
    context! {
        recipient => line.recipient_id.clone().unwrap_or_else(|| format!("row {}", line.row)),
        row => number(line.row),
        variant => (subject.manifest.variants > 1).then_some(line.variant),
        outcome => line.outcome.as_str(),
        outcome_name => plain(line.outcome.as_str()),
        attempt => line.attempt,
        seed => line.seed,
        tokens => number(line.tokens.generated),
        segment => line.segment.as_ref().map(|segment| segment.replace('|', " · ")),
        reasons => reasons.collect::<Vec<_>>(),
        wrote => content.as_ref().map(wrote),
        shown => shown(subject, content.as_ref(), rendered.as_ref()),
    }
}

/// What the model wrote, field by field, merge fields as their names.
fn wrote(content: &Content) -> Vec<Value> {
    let field = |(name, value): (&String, &serde_json::Value)| {
        context! { name => plain(name), texts => texts(value).into_iter().map(mask).collect::<Vec<_>>() }
    };
    content.iter().map(field).collect()
}

/// What the recipient gets: an e-mail where there is HTML, a search ad where there are its parts, else text.
fn shown(subject: &Subject, content: Option<&Content>, rendered: Option<&Rendered>) -> Value {
    let (Some(content), Some(rendered)) = (content, rendered) else { return context! { is => "nothing" } };
    let file = &subject.campaign.file;
    let part = |name: &str| rendered.get(name).and_then(serde_json::Value::as_str);
    let filled = |name: &str| {
        part(name)
            .map(str::to_owned)
            .or_else(|| content.get(name).and_then(|value| texts(value).first().map(|text| fill(file, text))))
    };
    if let Some(html) = part("html") {
        return context! {
            is => "email", html, text => part("text").unwrap_or_default(), brand => file.brief.brand.as_str(),
            subject => filled("subject"), preheader => filled("preheader"),
        };
    }
    let list = |name: &str| {
        let value = rendered.get(name).or_else(|| content.get(name));
        value.map(texts).unwrap_or_default().into_iter().map(|text| fill(file, text)).collect::<Vec<_>>()
    };
    let (headlines, descriptions) = (list("headlines"), list("descriptions"));
    if !headlines.is_empty() && !descriptions.is_empty() {
        let url = part("url").or(file.facts.get("url").map(String::as_str)).unwrap_or_default();
        let address = url.split_once("://").map_or(url, |(_, address)| address);
        return context! {
            is => "ad", brand => file.brief.brand.as_str(), address,
            headline => headlines.iter().take(AD_HEADLINES).cloned().collect::<Vec<_>>().join(" | "),
            description => descriptions.iter().take(AD_DESCRIPTIONS).cloned().collect::<Vec<_>>().join(" "),
            more => headlines.into_iter().skip(AD_HEADLINES).collect::<Vec<_>>(),
        };
    }
    let all = || rendered.values().flat_map(texts).collect::<Vec<_>>().join("\n\n");
    context! { is => "text", text => part("text").map_or_else(all, str::to_owned) }
}
