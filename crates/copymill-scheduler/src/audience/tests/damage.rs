//! Records that cannot be used: each has a code, a line and an ordinal, and the ones around it are read.

use super::{csv, shown};
use crate::audience::{FIELD_BYTES_MAX, RECORD_BYTES_MAX};

#[test]
fn rows_with_too_few_or_too_many_columns_are_invalid() {
    assert_eq!(
        csv("id,name,city\n1,Ann,Bonn\n2,Bo\n3,Cy,Rome,x\n4,Di,Oslo\n").rows(),
        [
            "1|Ann|Bonn",
            "too_few_columns: line 3: 2 columns where the header has 3",
            "too_many_columns: line 4: 4 columns where the header has 3",
            "4|Di|Oslo",
        ]
    );
}

#[test]
fn a_row_without_an_id_is_invalid() {
    let file = csv("id,name\n1,Ann\n ,Bo\n,Cy\n");
    let rows = shown(file.open_with_id("id").unwrap());
    assert_eq!(
        rows,
        [
            "1|Ann",
            "missing_id: line 3: the id column \"id\" is empty",
            "missing_id: line 4: the id column \"id\" is empty"
        ]
    );
}

#[test]
fn a_null_byte_costs_its_row() {
    assert_eq!(csv("id,name\n1,A\0n\n2,Bo\n").rows(), ["null_byte: line 2: a null byte", "2|Bo"]);
}

#[test]
fn a_field_of_a_megabyte_is_an_invalid_row() {
    let long = "x".repeat(1_000_000);
    let rows = csv(format!("id,note\n1,{long}\n2,\"{long}\"\n3,short\n")).rows();
    let message = |line| {
        format!(
            "field_too_large: line {line}: the column \"note\" has 1000000 bytes; at most {FIELD_BYTES_MAX} are read"
        )
    };
    // Quotes are no part of the field, but they are counted: the limit is not about them.
    assert_eq!(rows[0], message(2));
    assert!(rows[1].starts_with("field_too_large: line 3"), "{}", &rows[1][..60]);
    assert_eq!(rows[2], "3|short");
}

#[test]
fn a_record_that_is_longer_than_memory_allows_is_passed_over_in_one_piece() {
    let line = format!("{}\n9,evil,row\n", "x".repeat(1_000));
    let long = line.repeat(4 * RECORD_BYTES_MAX / line.len());
    let rows = csv(format!("id,name,note\n1,Ann,a\n2,Bo,\"{long}\"\n3,Cy,c\n")).rows();
    assert_eq!(rows.len(), 3, "rows within a quoted field are no rows: {:?}", &rows[1..3]);
    let breaks = long.matches('\n').count();
    let at = format!("lines 3 to {}", 3 + breaks);
    assert_eq!(
        rows[1],
        format!(
            "record_too_large: {at}: a record of more than {RECORD_BYTES_MAX} bytes; is a quote not closed?"
        )
    );
    assert_eq!(rows[2], "3|Cy|c");
    let unquoted = csv(format!("id,note\n1,{}\n2,b\n", "y".repeat(3 * RECORD_BYTES_MAX))).rows();
    assert!(unquoted[0].starts_with("record_too_large: line 2: "), "{}", unquoted[0]);
    assert_eq!(unquoted[1], "2|b");
}

const UNCLOSED: &str = "a quoted field is not closed; a quote within one is written twice";

#[test]
fn an_unclosed_quote_costs_its_line_alone() {
    let rows = csv("id,name,tier\n1,\"Ann,gold\n2,\"Bob\",silver\n3,Cy,gold\n").rows();
    assert_eq!(
        rows,
        [format!("unclosed_quote: line 2: {UNCLOSED}"), "2|Bob|silver".into(), "3|Cy|gold".into()]
    );
    let rows = csv("id,name\n1,\"Ann\n2,Bo\n3,\"Cy\n").rows();
    assert_eq!(rows[1..], ["2|Bo".to_owned(), format!("unclosed_quote: line 4: {UNCLOSED}")]);
}

#[test]
fn an_unclosed_quote_before_megabytes_of_rows_costs_its_line_alone() {
    let many: String = (3..200_000).map(|row| format!("{row},Zoë {row}\n")).collect();
    let text = format!("id,name\n1,Zoë\n2,\"Bo\n{many}");
    assert!(text.len() > 2 * RECORD_BYTES_MAX);
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(&text);
    for bytes in [text.as_bytes(), &latin] {
        let rows = csv(bytes).rows();
        assert_eq!(rows.len(), 199_999);
        assert_eq!(rows[1], format!("unclosed_quote: line 3: {UNCLOSED}"));
        assert_eq!(
            (rows[0].as_str(), rows[2].as_str(), rows[199_998].as_str()),
            ("1|Zoë", "3|Zoë 3", "199999|Zoë 199999")
        );
    }
}

#[test]
fn each_of_many_unclosed_quotes_far_apart_costs_its_line_alone() {
    let between: String = (0..120_000).map(|row| format!("{row},Zoë {row}\n")).collect();
    assert!(between.len() > RECORD_BYTES_MAX);
    let text = format!("\u{feff}id,name\n{}", format!("bad,\"Bo\n{between}").repeat(11));
    let mut unclosed = 0;
    let mut read = 0;
    for row in csv(text.as_bytes()).rows() {
        match row.starts_with("unclosed_quote") {
            true => unclosed += 1,
            false => read += u32::from(row.contains("|Zoë ")),
        }
    }
    assert_eq!((unclosed, read), (11, 11 * 120_000));
}

#[test]
fn a_file_that_is_broken_throughout_still_accounts_for_every_line() {
    let filler = "x\n".repeat(RECORD_BYTES_MAX);
    let text = format!("id,name\n{}", format!("1,\"{filler}\"y\n").repeat(12));
    let reader = csv(&text).open().unwrap();
    let mut next_line = 2;
    for record in reader {
        let message = record.values.unwrap_err().message;
        let at = message.split(':').next().unwrap();
        let lines: Vec<u64> = at.split(' ').filter_map(|word| word.parse().ok()).collect();
        assert_eq!(lines[0], next_line, "{message}");
        next_line = lines.last().unwrap() + 1;
    }
    assert_eq!(next_line, text.matches('\n').count() as u64 + 1);
}

#[test]
fn a_quoted_field_that_goes_on_costs_its_line() {
    assert_eq!(
        csv("id,name\n1,\"Ann\" Smith\n2,Bo\n").rows(),
        [
            "malformed_quote: line 2: a quoted field goes on after its closing quote; a quote within one is written twice",
            "2|Bo",
        ]
    );
}

#[test]
fn messages_about_records_never_quote_a_value() {
    let secret = "jane.doe@example.com";
    let hostile = [
        format!("id,name\n1\n{secret}\n"),
        format!("id,name\n1,{secret},x\n"),
        format!("id,name\n1,\"{secret}\n"),
        format!("id,name\n1,\"{secret}\"x\n"),
        format!("id,name\n1,{secret}\0\n"),
        format!("id,name\n1,{}\n", secret.repeat(5_000)),
        format!("id,name\n,{secret}\n"),
    ];
    for text in hostile {
        let rows = shown(csv(&text).open_with_id("id").unwrap());
        assert!(rows.iter().all(|row| !row.contains(secret)), "{rows:?}");
    }
}
