//! Amounts in one spelling: `1.299,00`, `1,299` and `1 299` are `1299`.

/// Returns an amount without grouping, with a point for decimals and no zeros at their end.
pub(super) fn normal(written: &str) -> String {
    let points = written.matches('.').count();
    let commas = written.matches(',').count();
    let decimal = match (points, commas) {
        (0, 0) => None,
        (1, 0) => decimal_of_one(written, '.'),
        (0, 1) => decimal_of_one(written, ','),
        (0, _) | (_, 0) => None,
        // Both: the one that comes last parts the decimals.
        _ => written.rfind(['.', ',']),
    };
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    match decimal {
        None => without_zeros(&digits(written)),
        Some(at) => {
            let (whole, part) = (without_zeros(&digits(&written[..at])), digits(&written[at..]));
            let part = part.trim_end_matches('0');
            if part.is_empty() { whole } else { format!("{whole}.{part}") }
        }
    }
}

/// One separator with three digits after it groups thousands, unless nothing but zero stands before it.
fn decimal_of_one(written: &str, separator: char) -> Option<usize> {
    let at = written.find(separator)?;
    let (before, after) = (&written[..at], &written[at + 1..]);
    let groups = after.len() == 3 && before.len() <= 3 && !before.trim_start_matches('0').is_empty();
    (!groups).then_some(at)
}

/// `007` is `7`.
pub(super) fn without_zeros(digits: &str) -> String {
    let short = digits.trim_start_matches('0');
    if short.is_empty() { "0".into() } else { short.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_amount_has_one_spelling() {
        for (written, amount) in [
            ("1.299,00", "1299"),
            ("1,299.00", "1299"),
            ("1,299", "1299"),
            ("1.299", "1299"),
            ("1 299", "1299"),
            ("1'299.50", "1299.5"),
            ("1.299.000", "1299000"),
            ("12.5", "12.5"),
            ("12,50", "12.5"),
            ("0.125", "0.125"),
            ("007", "7"),
            ("0", "0"),
            ("129.00", "129"),
        ] {
            assert_eq!(normal(written), amount, "{written}");
        }
    }
}
