//! The codes of all checks. They are stable: results, metrics and documentation name them.

macro_rules! codes {
    ($($(#[doc = $meaning:literal])+ $name:ident = $code:literal;)+) => {
        $(
            $(#[doc = $meaning])+
            pub(crate) const $name: &str = $code;
        )+
        /// Every code with its meaning, in the order of the documentation.
        pub const CHECKS: &[(&str, &str)] = &[$(($code, concat!($($meaning),+))),+];
    };
}

codes! {
    /// The answer is not one JSON object with the fields of the kind.
    NOT_JSON = "not_json";
    /// The answer was cut: it reached the limit of tokens, the context, or the safety limit of a field.
    TRUNCATED = "truncated";
    /// A field is missing or empty.
    MISSING_FIELD = "missing_field";
    /// A rendered text is longer than its limit.
    TOO_LONG = "too_long";
    /// A list has more texts than the kind takes.
    TOO_MANY = "too_many";
    /// A list has fewer texts than the kind asks for.
    TOO_FEW = "too_few";
    /// Two texts of a list are the same where they must differ.
    NOT_DISTINCT = "not_distinct";
    /// A text holds a character that its field must not hold.
    FORBIDDEN_CHARACTER = "forbidden_character";
    /// A text does not have the form that its field asks for, such as a hashtag.
    WRONG_FORM = "wrong_form";
    /// A text holds a phrase that the campaign bans.
    BANNED_PHRASE = "banned_phrase";
    /// A fact or merge field that every message must hold is not in it.
    MISSING_FACT = "missing_fact";
    /// A name in double brackets is not one that may be placed.
    UNKNOWN_MERGE_FIELD = "unknown_merge_field";
    /// Double brackets stand around something that is no name.
    UNRESOLVED_MERGE_FIELD = "unresolved_merge_field";
    /// A merge field is empty for the recipient and has no default.
    EMPTY_MERGE_FIELD = "empty_merge_field";
    /// A recipient's value would do harm in a message: markup, a link, template syntax or control tokens.
    UNSAFE_VALUE = "unsafe_value";
    /// A recipient's value has more characters than any message shows.
    VALUE_TOO_LONG = "value_too_long";
    /// A number is neither a fact nor a field of the recipient.
    NUMBER_NOT_A_FACT = "number_not_a_fact";
    /// A price is neither a fact nor all that a field of the recipient says.
    PRICE_NOT_A_FACT = "price_not_a_fact";
    /// A percentage is neither a fact nor all that a field of the recipient says.
    PERCENT_NOT_A_FACT = "percent_not_a_fact";
    /// A date or deadline is neither a fact nor a field of the recipient.
    DATE_NOT_A_FACT = "date_not_a_fact";
    /// A link or address is not a fact; what a field of the recipient links to does not count.
    LINK_NOT_A_FACT = "link_not_a_fact";
    /// The copy repeats the instructions of the prompt.
    PROMPT_ECHO = "prompt_echo";
    /// A placeholder such as `[Your Name]` or `TODO` is left.
    PLACEHOLDER = "placeholder";
    /// The copy holds braces or other syntax that a mail program's templates would run.
    TEMPLATE_SYNTAX = "template_syntax";
    /// The copy holds HTML or Markdown.
    MARKUP = "markup";
    /// The copy is about writing it: `As an AI`, a code fence, leaked thoughts.
    ASSISTANT_PHRASE = "assistant_phrase";
    /// The copy says the same sentence twice, or runs in a loop.
    REPETITION = "repetition";
    /// The copy holds characters that nobody sees.
    INVISIBLE_CHARACTER = "invisible_character";
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_documentation_says_what_each_code_means() {
        let documentation = include_str!("../../../../docs/CHECKS.md");
        for (code, meaning) in super::CHECKS {
            assert!(
                documentation.contains(&format!("| `{code}` | {} |", meaning.trim())),
                "{code}:{meaning}"
            );
        }
    }
}
