//! Near misses: what a user most likely meant.

/// Names compared at most; a longer list costs time and helps nobody.
const CANDIDATES_MAX: usize = 2_000;

/// Returns the candidate that `name` most likely stands for: one that differs in case or separators only, or by a
/// slip or two of the keyboard. None where nothing is near.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = normal(name);
    let allowed = (wanted.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .take(CANDIDATES_MAX)
        .filter(|candidate| *candidate != name)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &normal(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "; did you mean `tier`?", or nothing.
pub(super) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates)
        .map_or_else(String::new, |near| format!("; did you mean {}?", super::problem::quote(near)))
}

/// The first characters in lower case without separators, so that `First Name` and `first_name` are one.
fn normal(name: &str) -> String {
    name.chars().take(64).filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_spellings_are_found_and_strangers_are_not() {
        let columns = ["tier", "First Name", "city", "id"];
        assert_eq!(nearest("teir", columns), Some("tier"));
        assert_eq!(nearest("first_name", columns), Some("First Name"));
        assert_eq!(nearest("ctiy", columns), Some("city"));
        for stranger in ["price", "x", "", "zz"] {
            assert_eq!(nearest(stranger, columns), None, "{stranger}");
        }
    }
}
