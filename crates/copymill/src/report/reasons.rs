//! What the codes of failed checks mean, one sentence each.

/// Returns the sentence of a code; none where the code is of a newer version.
pub(super) fn sentence(code: &str) -> Option<&'static str> {
    Some(match code {
        "missing_field" => "A required part of the message was empty.",
        "too_long" => "A part was longer than its limit once it was filled in.",
        "too_few" => "A list had fewer entries than it needs.",
        "too_many" => "A list had more entries than it may have.",
        "not_distinct" => "Entries of a list that must differ were alike.",
        "forbidden_character" => "A character was used that this channel does not allow.",
        "pattern" => "A part did not have the form that it needs.",
        "banned_phrase" => "A phrase was used that the campaign bans.",
        "missing_fact" => "A fact that every message must carry was left out.",
        "unresolved_merge_field" => "A merge field was left unfilled.",
        "unknown_merge_field" => "A merge field was used that the campaign does not have.",
        "number_not_a_fact" => "A number appeared that is not one of the campaign's facts.",
        "price_not_a_fact" => "A price appeared that is not one of the campaign's facts.",
        "percent_not_a_fact" => "A percentage appeared that is not one of the campaign's facts.",
        "date_not_a_fact" => "A date appeared that is not one of the campaign's facts.",
        "link_not_a_fact" => "A link appeared that is not one of the campaign's facts.",
        "prompt_echo" => "The model repeated its instructions.",
        "placeholder" => "A placeholder was left in the text.",
        "template_syntax" => "The text held template or markup syntax.",
        "assistant_phrase" => "The model spoke as an assistant instead of as the brand.",
        "truncated" => "The text hit its token limit before it was finished.",
        "repetition" => "The text repeated itself.",
        "not_json" => "The answer was not in the form that was asked for.",
        "empty_merge_field" => "A recipient's value that the copy needs is empty and has no default.",
        "unsafe_value" => "A recipient's value cannot be placed safely in a message.",
        "unsafe_prompt" => "The row's values could not be put into a prompt safely.",
        "prompt_too_long" => "The prompt with this row's values does not fit into the model.",
        "engine_failed" => "The engine could not finish this message.",
        "segment_missing" => "No copy of the row's segment was found.",
        "duplicate_id" => "An earlier row has the same id; the first one is written to.",
        "missing_id" => "The row has no id.",
        _ => return None,
    })
}
