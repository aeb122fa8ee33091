//! Facts are locked: a number, price, percentage, date or link that copy spells must be one that it was given.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

use super::Finding;

static LINK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:https?://|www\.)\S+|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|io|co|shop|store|example|de|uk|fr|eu|info|biz|tld)\b(?:/\S*)?")
        .expect("the pattern is tested")
});
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?xi)
        (?P<before>[$€£¥₹]\s?|\b(?:USD|EUR|GBP|CHF)\s?|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+)?
        (?P<number>\d+(?:[.,\u{a0}\u{202f}/-]\d+)*)
        (?P<after>\s?(?:%|percent\b|per\ cent\b)|\s?(?:[$€£¥₹]|(?:USD|EUR|GBP|CHF|dollars?|euros?|pounds?)\b)
          |(?:st|nd|rd|th)?\s+(?:of\s+)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b)?",
    )
    .expect("the pattern is tested")
});

/// What copy may spell.
#[derive(Debug, Clone, Default)]
pub(crate) struct LockedFacts {
    numbers: HashSet<String>,
    links: Vec<String>,
}

impl LockedFacts {
    /// Numbers and links of these texts.
    pub(crate) fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut facts = Self::default();
        for text in texts {
            facts.numbers.extend(numbers_in(text));
            facts.links.extend(LINK.find_iter(text).map(|link| link.as_str().to_owned()));
        }
        facts
    }

    /// Looks at a text without its merge fields. `more` are numbers that the row gives.
    pub(crate) fn check(&self, field: &str, text: &str, more: &HashSet<String>, found: &mut Vec<Finding>) {
        if !text.contains(|c: char| c.is_ascii_digit() || c == '.') {
            return;
        }
        for link in LINK.find_iter(text).filter(|link| !self.links.iter().any(|known| known == link.as_str())) {
            let message = format!("`{}` is a link that no fact gives", link.as_str());
            found.push(Finding::new("link_not_a_fact", field.to_owned(), message));
        }
        let text = LINK.replace_all(text, " ");
        for number in NUMBER.captures_iter(&text) {
            let digits = normalise(&number["number"]);
            if self.numbers.contains(&digits) || more.contains(&digits) {
                continue;
            }
            let part = |name| number.name(name).map_or("", |part| part.as_str()).trim().to_lowercase();
            let (code, what) = sort(&part("before"), &part("after"), &number["number"]);
            let message = format!("`{}` is {what} that no fact gives", number[0].trim());
            found.push(Finding::new(code, field.to_owned(), message));
        }
    }
}

/// The numbers of a text, normalised.
pub(crate) fn numbers_in(text: &str) -> impl Iterator<Item = String> {
    NUMBER.captures_iter(text).map(|number| normalise(&number["number"]))
}

fn sort(before: &str, after: &str, number: &str) -> (&'static str, &'static str) {
    let currency = |text: &str| {
        text.contains(['$', '€', '£', '¥', '₹'])
            || ["usd", "eur", "gbp", "chf", "dollar", "euro", "pound"].iter().any(|word| text.starts_with(word))
    };
    if currency(before) || currency(after) {
        ("price_not_a_fact", "a price")
    } else if after.contains('%') || after.starts_with("per") {
        ("percent_not_a_fact", "a percentage")
    } else if !before.is_empty() || !after.is_empty() || number.contains(['/', '-']) {
        ("date_not_a_fact", "a date")
    } else {
        ("number_not_a_fact", "a number")
    }
}

/// One spelling for one value: `1.299,00` and `1,299` are the same.
fn normalise(number: &str) -> String {
    if number.contains(['/', '-']) {
        return number.to_owned();
    }
    let number: String = number.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ',')).collect();
    // The last separator is a decimal one unless exactly three digits follow and it is the only kind.
    let decimal = number.rfind(['.', ',']).filter(|at| {
        let sign = &number[*at..=*at];
        number.matches(sign).count() == 1 && (number.len() - at != 4 || number.contains(if sign == "." { ',' } else { '.' }))
    });
    let (whole, fraction) = decimal.map_or((number.as_str(), ""), |at| (&number[..at], &number[at + 1..]));
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(facts: &[&str], text: &str) -> Vec<&'static str> {
        let mut found = Vec::new();
        LockedFacts::of(facts.iter().copied()).check("body", text, &HashSet::new(), &mut found);
        found.into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_no_fact_gives_is_found_and_sorted() {
        assert_eq!(codes(&[], "only $99 today"), ["price_not_a_fact"]);
        assert_eq!(codes(&[], "99 euros"), ["price_not_a_fact"]);
        assert_eq!(codes(&[], "save 20% now"), ["percent_not_a_fact"]);
        assert_eq!(codes(&[], "until April 30"), ["date_not_a_fact"]);
        assert_eq!(codes(&[], "until 30th of April"), ["date_not_a_fact"]);
        assert_eq!(codes(&[], "on 2026-04-30"), ["date_not_a_fact"]);
        assert_eq!(codes(&[], "3 reasons"), ["number_not_a_fact"]);
        assert_eq!(codes(&[], "see www.evil.example"), ["link_not_a_fact"]);
        assert_eq!(codes(&[], "evil.com/x"), ["link_not_a_fact"]);
    }

    #[test]
    fn facts_may_be_spelt_in_another_way() {
        assert!(codes(&["€1,299"], "now 1.299,00 €").is_empty());
        assert!(codes(&["April 30", "20%"], "20 % until 30 April").is_empty());
        assert!(codes(&["https://a.example/b"], "see https://a.example/b now").is_empty());
        assert_eq!(codes(&["$129"], "$128"), ["price_not_a_fact"]);
        assert!(codes(&[], "two tents. One rope.").is_empty());
    }
}
