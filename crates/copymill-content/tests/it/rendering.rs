//! Messages are rendered byte for byte as the golden files say.

use serde_json::{Value, json};

use super::{accepted, assert_golden, content, row};
use copymill_content::Content;

const EMAIL: &str = r#"{"subject":"[[first_name]], your tents miss you","preheader":"Take [[discount]] off with [[code]]","headline":"Back to the <trail> & beyond","body":["Dear [[first_name]] from [[city]], the [[product]] is \"ready\".","It is [[price]] until [[ends]]."],"cta":"See the tents"}"#;

fn message(content: &Content, answer: &str, values: [&str; 5]) -> Value {
    // What a fallback or an earlier version wrote is compiled without checks.
    let copy = content.copy(answer).expect("it compiles");
    let merged = content.merge(&copy, &row(values), 1);
    assert_eq!(merged.reasons, []);
    serde_json::from_str(&merged.rendered_json).expect("JSON")
}

#[test]
fn an_email_has_html_and_text_with_facts_and_values_escaped_for_each() {
    let message =
        message(&content("email"), EMAIL, ["c-1", "Zoë \"Z\" O'Neil & Co", "tents", "gold", "Malmö"]);
    let html = message["html"].as_str().unwrap();
    assert_golden("email.html", html);
    let links: Vec<&str> = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links, ["https://northwind.example/spring?a=1&amp;b=2", "https://northwind.example/off"]);
    assert!(!html.contains("{~") && !html.contains("src="), "a hole is left, or something is loaded");
    assert_golden("email.txt", message["text"].as_str().unwrap());
    assert_eq!(message["subject"], "Zoë \"Z\" O'Neil & Co, your tents miss you");
    assert_eq!(message["preheader"], "Take 20% off with SPRING20");
}

#[test]
fn brand_colours_and_direction_come_from_the_brief() {
    let campaign = accepted("email", |file| {
        file["language"] = json!("ar");
        file["brief"]["colors"] = json!({ "primary": "#ffd400", "background": "#101010" });
    });
    let message =
        message(&Content::new(&campaign).unwrap(), EMAIL, ["c-1", "ليلى", "tents", "gold", "Malmö"]);
    let html = message["html"].as_str().unwrap();
    assert!(html.contains("dir=\"rtl\"") && html.contains("#ffd400") && html.contains("#101010"), "{html}");
    assert!(message["text"].as_str().unwrap().contains("إلغاء الاشتراك"), "{}", message["text"]);
}

#[test]
fn ads_and_posts_are_rendered_as_fields_and_as_text() {
    let values = ["c-1", "Ada", "tents", "gold", "Malmö"];
    let ad = r#"{"headlines":["Back outside","For gold members","Use [[code]]","Tents for you","Hello, [[city]]"],"descriptions":["Pack light and go far.","Take [[discount]] off."]}"#;
    let post = r##"{"post":"The trail is open. Take [[code]].","hashtags":["#spring","#tents"]}"##;
    let sms = r#"{"message":"Tents are back: [[discount]] off with [[code]]"}"#;
    let text = r#"{"text":"Tents are back, [[first_name]]."}"#;
    let shop = r#"{"title":"A tent","summary":"Light and dry.","description":["It stands in a minute.","It packs small."],"bullets":["Dry","Light","Yours with [[code]]"]}"#;
    let press = r#"{"headline":"A tent","lead":"[[brand]] shows the [[product]].","paragraphs":["It is light.","It is dry."],"quote":"We walk in it ourselves","about":"[[brand]] makes tents. Use [[code]]."}"#;
    let article = r#"{"meta_title":"Tents","meta_description":"How to choose a tent.","title":"How to choose","intro":"Rain comes.","sections":["Size.","Weight.","Use [[code]]."],"conclusion":"Go out."}"#;
    let short = [("google_rsa", ad), ("social_post", post), ("sms", sms), ("text", text)];
    let long = [("product_description", shop), ("press_release", press), ("seo_article", article)];
    for (kind, answer) in short.into_iter().chain(long) {
        let message = message(&content(kind), answer, values);
        assert_golden(&format!("{kind}.json"), &(serde_json::to_string_pretty(&message).unwrap() + "\n"));
    }
}

#[test]
fn a_value_that_would_do_harm_is_refused_without_being_repeated() {
    let content = content("email");
    let copy = content.copy(EMAIL).unwrap();
    for value in ["<b>x</b>", "{{7*7}}", "[[price]]", "see evil.example/x", &"x".repeat(1_000)] {
        let merged = content.merge(&copy, &row(["c-1", value, "tents", "gold", "Malmö"]), 1);
        assert_eq!(merged.rendered_json, "");
        assert!(
            matches!(merged.reasons[0].code.as_str(), "unsafe_value" | "value_too_long"),
            "{:?}",
            merged.reasons
        );
        assert!(!merged.reasons[0].message.contains(value));
    }
    let merged = content.merge(&copy, &row(["c-1", "N/A", "tents", "gold", "-"]), 1);
    assert_eq!(merged.reasons[0].code, "empty_merge_field", "the city has no default");
    let merged = content.merge(&copy, &row(["c-1", "guaranteed", "tents", "gold", "Malmö"]), 1);
    assert_eq!(merged.reasons[0].code, "banned_phrase", "also in what a row brings");
    let email = copy.clone();
    let ads = super::content("google_rsa");
    let ad =
        r#"{"headlines":["Hi, [[first_name]]","A","B","C","D"],"descriptions":["One more.","Two more."]}"#;
    let merged = ads.merge(&ads.copy(ad).unwrap(), &row(["c-1", "Yahoo!", "tents", "gold", "Malmö"]), 1);
    assert_eq!(merged.reasons[0].code, "forbidden_character", "also in what a row brings");
    let sms = super::content("sms");
    let copy =
        sms.copy(r#"{"message":"News, [[first_name]] \u2014 we are back for you, all of us"}"#).unwrap();
    let merged = sms.merge(&copy, &row(["c-1", "Ada", "tents", "gold", "Malmö"]), 1);
    assert_eq!(merged.reasons[0].code, "too_long", "one part holds 70 characters where one is not in GSM-7");
    let merged = content.merge(&email, &row(["c-1", &"Jo ".repeat(25), "tents", "gold", "Malmö"]), 1);
    assert_eq!(merged.reasons[0].code, "too_long", "limits hold for what the reader sees");
}
