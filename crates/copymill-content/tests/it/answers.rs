//! Answers of a model: good ones become copy, others say each thing that is wrong, while they are written and after.

use copymill_content::{Content, Kind};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{accepted, content};

fn good() -> Value {
    json!({
        "subject": "Your tents miss you", "preheader": "Take [[discount]] off with [[code]]",
        "headline": "Back to the trail",
        "body": ["Dear [[first_name]], the [[product]] is ready.", "It is [[price]] until [[ends]]."],
        "cta": "See the tents",
    })
}

fn codes(content: &Content, answer: &Value) -> Vec<String> {
    let drafted = content.draft(&answer.to_string(), false, 1, &["tents", "gold"]);
    drafted.err().unwrap_or_default().into_iter().map(|reason| reason.code).collect()
}

#[test]
fn a_good_answer_becomes_copy() {
    let content = content("email");
    let copy = content.draft(&good().to_string(), false, 1, &["tents", "gold"]).expect("it passes");
    assert_eq!(serde_json::from_str::<Value>(copy.content_json()).unwrap(), good());
    // A fact may be spelt too, in another way than the campaign does.
    let mut spelt = good();
    spelt["body"][1] = json!("It is 129 dollars until 30 April, and SPRING20 takes 20 % off.");
    assert_eq!(codes(&content, &spelt), Vec::<String>::new());
}

#[test]
fn a_placed_fact_is_no_claim_whatever_stands_before_it() {
    let campaign = accepted("email", |file| file["facts"]["ends"] = json!("Friday"));
    let content = Content::new(&campaign).unwrap();
    let mut answer = good();
    answer["body"][1] = json!("It is [[price]] until [[ends]]. Use [[code]] by Friday.");
    assert_eq!(codes(&content, &answer), Vec::<String>::new());
    answer["body"][1] = json!("It ends on Sunday.");
    assert_eq!(codes(&content, &answer), ["date_not_a_fact"]);
}

#[test]
fn each_fault_has_its_code() {
    let content = content("email");
    let long = "so good ".repeat(9);
    for (field, value, code) in [
        ("subject", json!(""), "missing_field"),
        ("subject", json!(", …!"), "missing_field"),
        ("subject", json!(long), "too_long"),
        ("subject", json!("Only $99"), "price_not_a_fact"),
        ("subject", json!("25% off"), "percent_not_a_fact"),
        ("subject", json!("Ends May 30"), "date_not_a_fact"),
        ("subject", json!("It ends tonight"), "date_not_a_fact"),
        ("subject", json!("Over 500 tents"), "number_not_a_fact"),
        ("subject", json!("Use SPRING25"), "number_not_a_fact"),
        ("subject", json!("See evil.example/x"), "link_not_a_fact"),
        ("subject", json!("FREE-Money"), "banned_phrase"),
        ("subject", json!("Hi [[last_name]]"), "unknown_merge_field"),
        ("subject", json!("Hi [[url]]"), "unknown_merge_field"),
        ("subject", json!("Hi [[first name]]"), "unresolved_merge_field"),
        ("subject", json!("Dear [Your Name]"), "placeholder"),
        ("subject", json!("Hi {{name}}"), "template_syntax"),
        ("subject", json!("<b>Hi</b>"), "markup"),
        ("subject", json!("Sure! A subject"), "assistant_phrase"),
        ("subject", json!("<think>Hm</think>"), "assistant_phrase"),
        ("subject", json!("the point in a few words"), "prompt_echo"),
        ("subject", json!("The last attempt was refused"), "prompt_echo"),
        ("subject", json!("Write finished text without placeholders"), "prompt_echo"),
        ("subject", json!("soft\u{200b}ly"), "invisible_character"),
        ("preheader", json!("Nothing to use here"), "missing_fact"),
        ("body", json!(["Only one."]), "too_few"),
        ("body", json!(["One.", "Two.", "Three.", "Four."]), "too_many"),
        ("body", json!(["The trail is open to all of us.", "The trail is open to all of us."]), "repetition"),
        ("cta", json!(["See"]), "not_json"),
    ] {
        let mut answer = good();
        answer[field] = value.clone();
        let codes = codes(&content, &answer);
        assert!(codes.iter().any(|found| found == code), "{value}: {codes:?}");
    }
}

#[test]
fn hashtags_have_a_form_and_headlines_differ() {
    let post = |hashtags: &[&str]| {
        codes(&content("social_post"), &json!({ "post": "Use [[code]] outside.", "hashtags": hashtags }))
    };
    assert_eq!(post(&["#tents", "#spring"]), Vec::<String>::new());
    assert_eq!(post(&["#tents", "spring sale"]), ["wrong_form"]);
    let ad = |fifth: &str| {
        let headlines = ["Back outside", "For gold members", "Use [[code]]", "Tents for you", fifth];
        let answer = json!({ "headlines": headlines, "descriptions": ["Pack light.", "Go far."] });
        codes(&content("google_rsa"), &answer)
    };
    assert_eq!(ad("Hello there"), Vec::<String>::new());
    assert_eq!(ad("back OUTSIDE"), ["not_distinct"]);
}

#[test]
fn an_answer_is_stopped_when_it_can_no_longer_pass_and_says_why() {
    let content = content("email");
    let watch = content.watch(&["tents", "gold"]);
    let whole = good().to_string();
    let mut seen = 0;
    for end in whole.char_indices().map(|(at, _)| at).chain([whole.len()]) {
        assert!(watch(&whole[..end], seen), "a good answer is stopped: {}", &whole[..end]);
        seen = end;
    }
    for (bad, code) in [("FREE money now", "banned_phrase"), ("Only $99", "price_not_a_fact")] {
        let begun = format!("{{\"subject\":\"{bad}\",\"preheader\":\"");
        let quote = begun.find(bad).expect("it is in there") + bad.len();
        assert!(watch(&begun[..quote], 0) && !watch(&begun[..=quote], quote), "{bad}: its end says it");
        assert!(!watch(&begun, quote), "{bad}: what is forced behind it comes in the same step");
        assert!(watch(&begun, quote + 1), "{bad}: it is judged once");
        let reasons = content.draft(&begun, true, 2, &[]).err().expect("it is refused");
        assert_eq!((reasons[0].code.as_str(), reasons[0].attempt), (code, 2));
    }
    let rambling = format!("{{\"subject\":\"{}", "on and on ".repeat(40));
    assert!(!watch(&rambling, rambling.len() - 1));
    let reasons = content.draft(&rambling, true, 1, &[]).err().expect("it is refused");
    assert!(reasons.iter().any(|reason| reason.code == "truncated"), "{reasons:?}");
}

#[test]
fn what_a_row_says_may_be_said_again() {
    let content = content("email");
    let mut answer = good();
    answer["headline"] = json!("All 12 tents of yours");
    assert_eq!(codes(&content, &answer), ["number_not_a_fact"]);
    assert!(content.draft(&answer.to_string(), false, 1, &["12 tents", "gold"]).is_ok());
}

#[test]
fn a_campaign_that_cannot_work_is_refused_with_all_that_is_wrong() {
    let campaign = accepted("email", |file| {
        file["facts"] = json!({ "code": "SPRING20" });
        file["checks"]["must_use"] = json!(["code", "coupon"]);
    });
    let problems = Content::new(&campaign).err().expect("it is refused").0;
    let keys: Vec<&str> = problems.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["facts", "checks.must_use"]);
    let campaign = accepted("email", |file| file["fallback"] = json!({ "subject": "Only $99" }));
    let problems = Content::new(&campaign).err().expect("it is refused").0;
    let said = |key: &str, part: &str| problems.iter().any(|(k, message)| k == key && message.contains(part));
    assert!(said("fallback.subject", "$99") && said("fallback.body", "no word"), "{problems:?}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), ".{0,60}".prop_map(Value::from)];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let key = prop_oneof![Just("subject".to_owned()), Just("body".to_owned()), ".{0,8}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5).prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_answer_is_copy_or_refused_with_a_reason(answer in prop_oneof![any_json().prop_map(|v| v.to_string()), ".{0,200}"], cut in 0usize..200) {
        for kind in Kind::built_in_names() {
            let content = content(kind);
            let end = answer.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(answer.len());
            content.watch(&[])(&answer[..end], 0);
            for truncated in [false, true] {
                if let Err(reasons) = content.draft(&answer[..end], truncated, 1, &[]) {
                    prop_assert!(!reasons.is_empty());
                }
            }
        }
    }
}
