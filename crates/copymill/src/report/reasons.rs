//! What the codes of failed checks mean, one sentence each.

use copymill_campaign::ROW_CODES;
use copymill_content::CHECKS;

/// Returns the sentence of a code; none where the code is of a newer version.
pub(super) fn sentence(code: &str) -> Option<&'static str> {
    CHECKS.iter().chain(ROW_CODES).find(|(known, _)| *known == code).map(|(_, sentence)| sentence.trim())
}
