//! E-mails: MJML, compiled once for each number of paragraphs; copy is put in afterwards and never parsed as MJML.

use copymill_campaign::Accepted;
use minijinja::{Environment, context};

use super::{is_right_to_left, unsubscribe};
use crate::kind::Kind;

const TEMPLATE: &str = include_str!("../../templates/email.mjml.j2");
/// Brackets of a hole. ASCII, because the MJML compiler escapes other characters in attributes; the template's own
/// values (language, colours) cannot hold them, and copy is put in after the page is cut at them.
const OPEN: &str = "{~";
const CLOSE: &str = "~}";
const PRIMARY: &str = "#1f5c4a";
const BACKGROUND: &str = "#f4f4f1";

/// A part of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HtmlPiece {
    /// Markup.
    Markup(String),
    /// Where a text goes: a field and the item's number, or a fact.
    Text(String, usize),
}

/// The compiled page for each number of paragraphs.
#[derive(Debug, Clone, Default)]
pub(crate) struct EmailSkeletons {
    pages: Vec<(usize, Vec<HtmlPiece>)>,
    /// What the link to unsubscribe says in the text part.
    pub(crate) unsubscribe: &'static str,
}

impl EmailSkeletons {
    pub(crate) fn new(campaign: &Accepted, kind: &Kind) -> Result<Self, String> {
        let items = kind.fields["body"].items.expect("the kind was checked");
        let pages = (items.min..=items.max).map(|count| Ok((count, page(campaign, count)?)));
        Ok(Self {
            pages: pages.collect::<Result<_, String>>()?,
            unsubscribe: unsubscribe(&campaign.file.language),
        })
    }

    /// The page for a number of paragraphs.
    pub(crate) fn page(&self, paragraphs: usize) -> &[HtmlPiece] {
        self.pages.iter().find(|(count, _)| *count == paragraphs).map_or(&[], |(_, page)| page)
    }
}

fn page(campaign: &Accepted, paragraphs: usize) -> Result<Vec<HtmlPiece>, String> {
    let file = &campaign.file;
    let hole = |name: &str, index: usize| format!("{OPEN}{name}:{index}{CLOSE}");
    let fact = |name: &str| file.facts.contains_key(name).then(|| hole(name, 0));
    let colors = file.brief.colors.as_ref();
    let primary = colors.map_or(PRIMARY, |colors| colors.primary.as_str());
    let rtl = is_right_to_left(&file.language);
    let on_primary = if luminance(primary) > 0.4 { "#1a1a1a" } else { "#ffffff" };
    let background = colors.map_or(BACKGROUND, |colors| colors.background.as_str());
    let ink = if (luminance(background) > 0.4) == (luminance(primary) > 0.4) { "#1a1a1a" } else { primary };
    let mut environment = Environment::new();
    environment.add_template("email", TEMPLATE).map_err(|error| error.to_string())?;
    let body: Vec<String> = (0..paragraphs).map(|index| hole("body", index)).collect();
    let values = context! {
        lang => file.language.clone(), dir => if rtl { "rtl" } else { "ltr" }, align => if rtl { "right" } else { "left" },
        subject => hole("subject", 0), preheader => hole("preheader", 0), headline => hole("headline", 0), body,
        cta => hole("cta", 0), url => hole("url", 0), brand => hole("brand", 0), address => fact("address"),
        unsubscribe => fact("unsubscribe"), unsubscribe_label => unsubscribe(&file.language), primary, on_primary, background, ink,
    };
    let template = environment.get_template("email").and_then(|template| template.render(values));
    let parsed =
        mrml::parse(template.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    let options = mrml::prelude::render::RenderOptions { disable_comments: false, ..Default::default() };
    let html = parsed.element.render(&options).map_err(|error| error.to_string())?;
    Ok(cut(&smaller(&html)))
}

/// Without the white space between elements.
fn smaller(html: &str) -> String {
    let lines = html.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

fn cut(html: &str) -> Vec<HtmlPiece> {
    let mut pieces = Vec::new();
    for (index, part) in html.split(OPEN).enumerate() {
        let hole = if index == 0 { None } else { part.split_once(CLOSE) };
        let Some((hole, markup)) = hole else {
            pieces.push(HtmlPiece::Markup(part.to_owned()));
            continue;
        };
        let (name, item) = hole.split_once(':').expect("we wrote the hole");
        pieces.push(HtmlPiece::Text(name.to_owned(), item.parse().expect("we wrote the hole")));
        pieces.push(HtmlPiece::Markup(markup.to_owned()));
    }
    pieces
}

/// Relative luminance as WCAG 2 defines it, of a colour `#rrggbb`.
fn luminance(color: &str) -> f64 {
    let channel = |from: usize| {
        let value = color.get(from..from + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(0);
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}
