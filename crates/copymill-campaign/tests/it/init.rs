//! `copymill init` writes files that are valid as they are.

use copymill_campaign::{CampaignFile, check_columns, init_campaign, parse_campaign};
use proptest::prelude::*;

use super::{assert_golden, data};

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn assert_valid(columns: &[String], text: &str) -> CampaignFile {
    let parsed =
        parse_campaign(text, "campaign.yaml").unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    assert_eq!(check_columns(&parsed, columns), [], "{text}");
    parsed.file
}

#[test]
fn columns_are_recognised_and_the_file_explains_itself() {
    let columns =
        strings(&["customer_id", "first_name", "email", "last_category", "tier", "city", "age", "points"]);
    let row = |index: usize| {
        let tier = ["gold", "silver", "none"][index % 3];
        let category = ["tents", "boots"][index % 2];
        let name = if index == 3 { String::new() } else { format!("Name {index}") };
        vec![
            format!("c-{index}"),
            name,
            format!("u{index}@example.com"),
            category.into(),
            tier.into(),
            format!("City {index}"),
            "44".into(),
            format!("{}", index * 7),
        ]
    };
    let rows: Vec<_> = (0..30).map(row).collect();
    let text = init_campaign(&columns, &rows, "lists/Spring 2026.csv");
    let file = assert_valid(&columns, &text);
    assert_eq!((file.campaign.as_str(), file.audience.id.as_str()), ("spring-2026", "customer_id"));
    assert_eq!(file.audience.fields, ["last_category", "tier", "city"]);
    assert_eq!(file.merge_fields(&columns), ["first_name"]);
    assert_eq!(file.audience.defaults["first_name"], "there");
    assert_golden(&data("init/campaign.yaml"), &text);
}

#[test]
fn unknown_columns_are_told_apart_by_their_values() {
    let columns = strings(&["Nr", "Kunde", "Filiale", "no"]);
    let rows: Vec<_> = (0..20)
        .map(|row| vec![row.to_string(), format!("K{row}"), ["Nord", "Süd"][row % 2].into(), "x".into()])
        .collect();
    let file = assert_valid(&columns, &init_campaign(&columns, &rows, "no.csv"));
    assert_eq!((file.campaign.as_str(), file.audience.id.as_str()), ("no", "Nr"));
    assert_eq!(file.audience.fields, ["Filiale"]);
}

proptest! {
    #[test]
    fn any_audience_gets_a_valid_file(
        columns in proptest::collection::hash_set("[a-zA-Z0-9 _.:#\"'\\[\\]{}é*&!%-]{1,12}|no|null|brand|url|id|1.0", 1..8),
        cells in proptest::collection::vec(proptest::collection::vec("[a-z@:/]{0,4}", 0..9), 0..30),
        source in "[a-zA-Z0-9 _./:#é-]{1,20}\\.csv",
    ) {
        let columns: Vec<String> =
            columns.into_iter().map(|column| column.trim().to_owned()).filter(|column| !column.is_empty()).collect();
        prop_assume!(!columns.is_empty());
        assert_valid(&columns, &init_campaign(&columns, &cells, &source));
    }
}
