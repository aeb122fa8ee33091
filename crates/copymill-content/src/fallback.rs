//! The campaign's fallback: copy that the user wrote, held to the same rules as the model's.

use std::collections::HashSet;

use copymill_campaign::{Accepted, FieldValue, nearest};

use crate::{
    checks::{Allowed, Texts, codes},
    kind::Kind,
    rules::Rules,
};

/// The fallback's texts; an error says all that is wrong, by key.
pub(crate) fn texts(campaign: &Accepted, rules: &Rules) -> Result<Option<Texts>, Vec<(String, String)>> {
    let Some(written) = &campaign.file.fallback else { return Ok(None) };
    let kind = &rules.kind;
    let mut problems = Vec::new();
    // Fields that have a problem already are not said to be missing, too.
    let mut excused = HashSet::new();
    let mut texts: Texts = kind.fields.keys().map(|name| (name.clone(), Vec::new())).collect();
    for (name, value) in written {
        let mut note = |message: String| problems.push((format!("fallback.{name}"), message));
        match (kind.fields.get(name).map(|field| field.items.is_some()), value) {
            (Some(false), FieldValue::Text(text)) => {
                texts.insert(name.clone(), vec![text.trim().to_owned()]);
            }
            (Some(true), FieldValue::List(items)) => {
                texts.insert(name.clone(), items.iter().map(|item| item.trim().to_owned()).collect());
            }
            (Some(is_list), _) => {
                let word = if is_list { "a list of texts" } else { "one text" };
                note(format!("it is {word} in a message of the kind `{}`", kind.kind));
                excused.insert(name.as_str());
            }
            (None, _) => {
                let near = nearest(name, kind.fields.keys().map(String::as_str));
                excused.extend(near);
                note(no_such_field(kind, near));
            }
        }
    }
    for finding in rules.check(&texts, &Allowed::default()).iter() {
        let field = finding.field.as_deref();
        if finding.code == codes::MISSING_FIELD && field.is_some_and(|field| excused.contains(field)) {
            continue;
        }
        let key = field.map_or_else(|| "fallback".to_owned(), |field| format!("fallback.{field}"));
        problems.push((key, finding.message.clone()));
    }
    if problems.is_empty() { Ok(Some(texts)) } else { Err(problems) }
}

fn no_such_field(kind: &Kind, near: Option<&str>) -> String {
    let hint = near.map_or_else(
        || {
            let names: Vec<String> = kind.fields.keys().map(|name| format!("`{name}`")).collect();
            format!("it has {}", names.join(", "))
        },
        |near| format!("did you mean `{near}`?"),
    );
    format!("a message of the kind `{}` has no such field; {hint}", kind.kind)
}
