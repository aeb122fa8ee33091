//! Plain scalars: what YAML makes of a value that stands without quotes.
//!
//! Readers of YAML 1.1 and 1.2 disagree about some (`no`, `0123`, dates). Those are kept as text and remembered, so
//! that where text is wanted the user is asked for quotes whatever reader the file meets next.

use serde_json::{Number, Value};

/// What a plain scalar is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plain {
    /// Its value by the YAML 1.2 core schema; disputed ones are text.
    pub(super) value: Value,
    /// What some reader takes it for, in words; none for what is text to all.
    pub(super) taken_for: Option<&'static str>,
}

/// Reads a scalar that stands without quotes.
pub(super) fn read_plain(text: &str) -> Plain {
    let (value, taken_for) = match text {
        "" | "~" | "null" | "Null" | "NULL" => (Value::Null, Some("no value")),
        "true" | "True" | "TRUE" => (Value::Bool(true), Some("true or false")),
        "false" | "False" | "FALSE" => (Value::Bool(false), Some("true or false")),
        _ => match number(text) {
            Some(number) => (Value::Number(number), Some("a number")),
            None => (Value::String(text.to_owned()), disputed(text)),
        },
    };
    Plain { value, taken_for }
}

/// A number in digits; one that a reader of YAML 1.1 would take for octal is none.
fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole_digits = digits.bytes().take_while(u8::is_ascii_digit).count();
    let octal = whole_digits > 1 && digits.starts_with('0');
    let spelled = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if octal || !spelled || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    // Above 2^53 a float no longer tells neighbouring whole numbers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match text.parse::<f64>() {
        Ok(float) if float.fract() == 0.0 && float.abs() < EXACT => Some((float as i64).into()),
        Ok(float) => Number::from_f64(float),
        Err(_) => None,
    }
}

fn disputed(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "yes" | "no" | "on" | "off") {
        return Some("true or false");
    }
    let unsigned = lower.strip_prefix(['-', '+']).unwrap_or(&lower);
    if matches!(unsigned, ".inf" | ".nan") {
        return Some("a number");
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if is_date(unsigned) {
        return Some("a date");
    }
    let radix = ["0x", "0o", "0b"].iter().find_map(|prefix| unsigned.strip_prefix(prefix));
    if let Some(rest) = radix {
        let hexadecimal = !rest.is_empty() && rest.chars().all(|c| c.is_ascii_hexdigit() || c == '_');
        return hexadecimal.then_some("a number");
    }
    // `1_000` is a thousand and `12:30` is 750 to readers of YAML 1.1.
    unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'_' | b':' | b'.')).then_some("a number")
}

fn is_date(text: &str) -> bool {
    let (date, time) = text.split_once(['t', ' ']).unwrap_or((text, ""));
    if !time.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'+' | b'-' | b'z' | b' ')) {
        return false;
    }
    let parts: Vec<&str> = date.split('-').collect();
    let digits = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    matches!(parts.as_slice(), [y, m, d] if digits(y, 4..=4) && digits(m, 1..=2) && digits(d, 1..=2))
}

/// Writes a text so that YAML reads it back as this text: plain where every reader agrees, else in double quotes.
pub(super) fn write_text(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '%'))
        && read_plain(text).taken_for.is_none();
    if plain { text.to_owned() } else { write_quoted(text) }
}

/// Writes a text in double quotes; YAML's escapes are a superset of JSON's.
pub(super) fn write_quoted(text: &str) -> String {
    let json = Value::String(text.to_owned()).to_string();
    let mut quoted = String::with_capacity(json.len());
    for character in json.chars() {
        if is_special(character) {
            // Every special character has four hexadecimal digits at most.
            quoted.push_str(&format!("\\u{:04X}", u32::from(character)));
        } else {
            quoted.push(character);
        }
    }
    quoted
}

/// Whether YAML takes a character for a line break or a byte order mark, or does not let it stand at all.
pub(super) fn is_special(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_some_reader_would_change_are_known() {
        for text in [
            "no",
            "Yes",
            "off",
            "00123",
            "1.0",
            "1e3",
            "0x1F",
            "0o17",
            "1_000",
            "12:30",
            "2026-04-30",
            "2026-4-3T10:00:00Z",
            "~",
            "null",
            "",
            "TRUE",
            ".inf",
            "-.INF",
            "+7",
            "-3.5",
            ".5",
        ] {
            assert!(read_plain(text).taken_for.is_some(), "{text}");
        }
        for text in [
            "20%",
            "April 30",
            "$129",
            "SPRING20",
            "n",
            "1st",
            "5-7",
            "v1.0",
            "+49 40 123",
            "0x",
            "1,299.00",
            "no way",
            "-",
            "e5",
            "2026-04-30 is late…",
        ] {
            let plain = read_plain(text);
            assert_eq!(plain.taken_for, None, "{text}");
            assert_eq!(plain.value, Value::String(text.into()));
        }
    }

    #[test]
    fn numbers_keep_their_size() {
        assert_eq!(read_plain("18446744073709551615").value, serde_json::json!(u64::MAX));
        assert_eq!(read_plain("-7").value, serde_json::json!(-7));
        assert_eq!(read_plain("2.0").value, serde_json::json!(2));
        assert_eq!(read_plain("0.95").value, serde_json::json!(0.95));
        assert_eq!(read_plain("1e999").value, serde_json::json!("1e999"));
    }
}
