use super::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    same: Vec<(String, String)>,
    different: Vec<(String, String)>,
    claims_nothing: Vec<String>,
}

fn vectors() -> Vectors {
    serde_saphyr::from_str(include_str!("../../../tests/data/claims.yaml")).unwrap()
}

fn refused(fact: &str, text: &str) -> Vec<Claim> {
    let mut shown = Shown::default();
    shown.text.push_str(text);
    unsupported(&shown, &Allowed::of([fact]), &Allowed::default())
}

#[test]
fn a_fact_may_be_written_in_any_spelling() {
    for (fact, text) in vectors().same {
        assert_eq!(refused(&fact, &text), [], "{text:?} for {fact:?}");
    }
}

#[test]
fn what_is_not_the_fact_is_refused() {
    for (fact, text) in vectors().different {
        assert!(!refused(&fact, &text).is_empty(), "{text:?} for {fact:?}");
    }
}

#[test]
fn ordinary_copy_claims_nothing() {
    for text in vectors().claims_nothing {
        assert_eq!(claims(&text), [], "{text:?}");
    }
}

#[test]
fn claims_have_the_class_that_their_words_give() {
    for (text, class, shown) in [
        ("now $129", Class::Price, "$129"),
        ("only 129 euros", Class::Price, "129 euros"),
        ("129€ only", Class::Price, "129€"),
        ("USD129", Class::Number, "USD129"),
        ("20% off", Class::Percent, "20%"),
        ("20 per cent off", Class::Percent, "20 per cent"),
        ("ends April 30", Class::Date, "April 30"),
        ("am 30. April 2026", Class::Date, "30. April 2026"),
        ("by 2026-04-30", Class::Date, "2026-04-30"),
        ("ends this Friday", Class::Date, "ends this Friday"),
        ("over 500 trails", Class::Number, "500"),
        ("use SAVE20 now", Class::Number, "SAVE20"),
        ("see www.evil.tld/x.", Class::Link, "www.evil.tld/x"),
        ("at northwind.com", Class::Link, "northwind.com"),
        ("mail a.b@c.de", Class::Link, "a.b@c.de"),
    ] {
        let found = claims(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!((found[0].class, found[0].shown.as_str()), (class, shown), "{text}");
    }
}
