//! Numbers, times and names as people read them.

use copymill_campaign::Outcome;

/// `1234567` as `1,234,567`.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A share in percent that never rounds up to all nor down to none.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0 %".into();
    }
    let share = 100.0 * part as f64 / whole as f64;
    match share {
        _ if part == whole => "100 %".into(),
        ..0.1 => "< 0.1 %".into(),
        99.9.. => "> 99.9 %".into(),
        _ => format!("{share:.1} %"),
    }
}

/// A rate such as messages per second.
pub(super) fn rate(n: u64, seconds: f64) -> String {
    if seconds <= 0.0 {
        return "–".into();
    }
    match n as f64 / seconds {
        rate @ 100.0.. => number(rate as u64),
        rate => format!("{rate:.1}"),
    }
}

/// Seconds as `47 s`, `3 min 12 s` or `2 h 5 min`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// An RFC 3339 time as `23 November 2026, 10:11 UTC`.
pub(super) fn time(rfc3339: &str) -> String {
    let parsed = rfc3339.parse::<jiff::Timestamp>();
    parsed.map_or_else(|_| rfc3339.to_owned(), |time| time.strftime("%-d %B %Y, %H:%M UTC").to_string())
}

/// Words of keys that are written in capitals.
const ACRONYMS: [&str; 5] = ["cta", "rsa", "seo", "sms", "url"];

/// A key such as `google_rsa` as words.
pub(super) fn plain(key: &str) -> String {
    let words = key.split(['_', '-']).map(|word| match ACRONYMS.contains(&word) {
        true => word.to_uppercase(),
        false => word.to_owned(),
    });
    let mut text = words.collect::<Vec<_>>().join(" ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// What an outcome means.
pub(super) fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Generated => "Written by the model, and every check passed.",
        Outcome::Fallback => "No attempt passed, so the campaign's own fallback text stands in.",
        Outcome::Rejected => "No attempt passed and there is no fallback: nothing will be sent.",
        Outcome::Suppressed => "The recipient must not be written to.",
        Outcome::Invalid => "The row could not be used; its reason says why.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([number(7), number(1234), number(1_000_000)], ["7", "1,234", "1,000,000"]);
        assert_eq!([percent(0, 5), percent(5, 5), percent(9_999, 10_000)], ["0 %", "100 %", "> 99.9 %"]);
        assert_eq!([percent(1, 3), percent(1, 100_000)], ["33.3 %", "< 0.1 %"]);
        assert_eq!(
            [duration(4.26), duration(47.3), duration(192.0), duration(7_500.0)],
            ["4.3 s", "47 s", "3 min 12 s", "2 h 5 min"]
        );
        assert_eq!(time("2026-11-23T10:11:12Z"), "23 November 2026, 10:11 UTC");
        assert_eq!([plain("google_rsa"), plain("cta"), plain("été")], ["Google RSA", "CTA", "été"]);
    }
}
