//! JSONL: one object per line.

use super::{fixture, shown};

#[test]
fn values_are_read_as_they_are_written() {
    let text = concat!(
        "{\"id\": \"c-1\", \"points\": 1.10, \"vip\": true, \"note\": null}\n",
        "\r\n",
        "{\"vip\":false,\"id\":12345678901234567890123,\"city\":\"K\\u00f6ln \\\"x\\\"\"}\n",
    );
    let file = fixture("recipients.jsonl", text);
    assert_eq!(file.open().unwrap().columns(), ["id", "points", "vip", "note", "city"]);
    assert_eq!(file.open().unwrap().describe().to_string(), "JSONL, UTF-8, 5 columns");
    assert_eq!(file.rows(), ["c-1|1.10|true||", "12345678901234567890123||false||Köln \"x\""]);
}

#[test]
fn white_space_around_a_key_is_no_part_of_it() {
    let file = fixture("recipients.jsonl", "{\" id \":1}\n{\"id\":2}\n");
    assert_eq!(file.open().unwrap().columns(), ["id"]);
    assert_eq!(file.rows(), ["1", "2"]);
}

#[test]
fn json_lines_are_recognised_without_their_extension() {
    assert_eq!(fixture("recipients.txt", " {\"id\":1}\n").rows(), ["1"]);
}

#[test]
fn bad_lines_are_invalid_and_the_others_are_read() {
    let long = "x".repeat(70_000);
    let lines = [
        r#"{"id":1,"name":"Ann"}"#,
        r#"{"id":2,"name":"#,
        "[1,2]",
        r#"{"id":3} {"id":4}"#,
        r#"{"id":5,"name":{"first":"Bo"}}"#,
        r#"{"id":6,"name":["Bo"]}"#,
        r#"{"id":7,"id":8}"#,
        r#"{"name":"no id"}"#,
        r#"{"id":9,"name":"a\u0000b"}"#,
        r#"{"id":10,"name":"\ud800"}"#,
        &format!(r#"{{"id":11,"name":"{long}"}}"#),
        r#"{"id":12}"#,
    ];
    let rows = shown(fixture("recipients.jsonl", lines.join("\n")).open_with_id("id").unwrap());
    let codes: Vec<&str> = rows.iter().map(|row| row.split(": ").next().unwrap()).collect();
    let expected = [
        "1|Ann",
        "malformed_json",
        "malformed_json",
        "malformed_json",
        "nested_value",
        "nested_value",
        "duplicate_key",
        "missing_id",
        "null_byte",
        "malformed_json",
        "field_too_large",
        "12|",
    ];
    assert_eq!(codes, expected);
    assert_eq!(
        rows[4],
        "nested_value: line 5: the value of \"name\" is a list or an object; give it as text"
    );
}

#[test]
fn a_key_that_no_early_record_had_is_an_error() {
    let early = "{\"id\":1}\n".repeat(1_000);
    let rows =
        fixture("recipients.jsonl", format!("{early}{{\"id\":2,\"late\":\"x\"}}\n{{\"id\":3}}\n")).rows();
    assert_eq!(
        rows[1_000],
        "unknown_key: line 1001: key number 2 is no column; columns are the keys of the first 1000 records"
    );
    assert_eq!(rows[1_001], "3");
}

#[test]
fn a_deep_line_is_an_invalid_row() {
    let deep = "[".repeat(100_000);
    let rows = fixture("recipients.jsonl", format!("{{\"id\":1}}\n{{\"id\":{deep}}}\n{{\"id\":2}}\n")).rows();
    assert!(
        rows[1].starts_with("malformed_json: line 2") || rows[1].starts_with("nested_value: line 2"),
        "{}",
        rows[1]
    );
    assert_eq!(rows[2], "2");
}
