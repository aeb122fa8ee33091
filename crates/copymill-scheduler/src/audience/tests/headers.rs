//! Files that cannot be used at all say what is wrong and what to do.

use std::path::Path;

use super::{csv, fixture};
use crate::audience::{AudienceError, AudienceOptions, AudienceReader};

#[test]
fn a_missing_file_suggests_its_neighbour() {
    let file = csv("id\n1\n");
    let open = |path: &Path| AudienceReader::open(path, AudienceOptions::default()).err().unwrap();
    let error = open(&file.path.with_file_name("recipient.csv"));
    assert!(matches!(error, AudienceError::Missing { .. }));
    assert!(error.to_string().contains("recipient.csv does not exist; did you mean "), "{error}");
    assert!(error.to_string().ends_with("recipients.csv?"), "{error}");
    let error = open(&file.folder.path().join("lists/recipients.csv"));
    assert!(error.to_string().contains("lists does not exist either"), "{error}");
    assert!(
        open(file.folder.path()).to_string().ends_with("it is a folder; name a CSV, JSONL or Parquet file")
    );
}

#[test]
fn files_without_a_usable_header_are_refused() {
    let many: String = (0..100_000).map(|column| format!("c{column},")).collect();
    let cases: [(&[u8], &str); 13] = [
        (b"", "it is empty; the first line must name the columns"),
        (b"\xef\xbb\xbf", "it has blank lines only; the first line must name the columns"),
        (b"\n\n\r\n", "it has blank lines only; the first line must name the columns"),
        (b"id,name,id\n1,a,b\n", "two columns have the name \"id\"; rename one of them"),
        (b"id, id \n1,a\n", "two columns have the name \"id\"; rename one of them"),
        (b"id,,name\n1,a,b\n", "column 2 of 3 has no name in the header; name it or remove the column"),
        (many.as_bytes(), "it has 100001 columns; at most 1000 are read"),
        (
            b"id,\"na\nme\"\n1,a\n",
            "the name of column 2 has control characters or more than 128 characters; is the first line the header?",
        ),
        (
            b"id,\"name\n1,a\n",
            "the header cannot be read: line 1: a quoted field is not closed; a quote within one is written twice",
        ),
        (b"id,n\0\n1,a\n", "the header cannot be read: line 1: a null byte"),
        (b"PK\x03\x04rest", "it is an Excel workbook or another ZIP archive; export the sheet as CSV UTF-8"),
        (
            b"\x1f\x8brest",
            "its gzip data ends early or is damaged (unexpected end of file); make or copy the file again",
        ),
        (b"PAR1rest", "it is a Parquet file that was cut short: its end is missing; copy it again"),
    ];
    for (bytes, reason) in cases {
        assert_eq!(csv(bytes).refusal(), format!("the audience recipients.csv cannot be used: {reason}"));
    }
}

#[test]
fn an_id_column_that_is_not_there_is_an_error_with_a_near_miss() {
    let error = csv("customer_id,name\n1,Ann\n").open_with_id("costumer_id").err().unwrap().to_string();
    assert!(error.ends_with("it has no column \"costumer_id\"; did you mean \"customer_id\"?"), "{error}");
}

#[test]
fn names_of_columns_are_trimmed_and_values_are_not() {
    let file = csv("id , name\n1, Ann \n");
    assert_eq!(file.open().unwrap().columns(), ["id", "name"]);
    assert_eq!(file.rows(), ["1| Ann "]);
}

#[test]
fn json_that_is_no_json_lines_is_refused() {
    let list = fixture("recipients.json", "[{\"id\": 1}]");
    assert!(
        list.refusal()
            .ends_with("it is a JSON list; write one object per line, without commas between them (JSONL)")
    );
    let none = fixture("recipients.jsonl", "1\n\"a\"\n{}\n");
    assert!(
        none.refusal()
            .ends_with("none of its first lines is a JSON object with keys; write one object per line")
    );
}
