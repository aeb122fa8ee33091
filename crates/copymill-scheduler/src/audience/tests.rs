//! What is promised about files that real systems write.

mod damage;
mod encodings;
mod first_pass;
mod headers;
mod json_lines;
mod packed;
mod parquet_files;
mod properties;

use std::{fs, path::PathBuf};

use super::{AudienceError, AudienceOptions, AudienceReader, Record};

/// A file in a folder of its own.
struct Fixture {
    folder: tempfile::TempDir,
    path: PathBuf,
}

fn fixture(name: &str, content: impl AsRef<[u8]>) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    Fixture { folder, path }
}

impl Fixture {
    fn open(&self) -> Result<AudienceReader, AudienceError> {
        AudienceReader::open(&self.path, AudienceOptions::default())
    }

    fn open_with_id(&self, id: &str) -> Result<AudienceReader, AudienceError> {
        AudienceReader::open(
            &self.path,
            AudienceOptions { id: Some(id.into()), ..AudienceOptions::default() },
        )
    }

    /// The message of a file that cannot be used, without the name of its folder.
    fn refusal(&self) -> String {
        let error = self.open().err().expect("the file is refused");
        error.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }

    /// Records as values joined by `|`, or as code and message.
    fn rows(&self) -> Vec<String> {
        shown(self.open().unwrap())
    }
}

fn csv(content: impl AsRef<[u8]>) -> Fixture {
    fixture("recipients.csv", content)
}

fn shown(reader: AudienceReader) -> Vec<String> {
    let records: Vec<Record> = reader.into_iter().collect();
    let ordinals: Vec<u64> = records.iter().map(|record| record.ordinal).collect();
    assert_eq!(ordinals, (0..records.len() as u64).collect::<Vec<_>>(), "every record has its ordinal");
    let show = |record: Record| match record.values {
        Ok(values) => values.join("|"),
        Err(error) => format!("{}: {}", error.code, error.message),
    };
    records.into_iter().map(show).collect()
}

#[test]
fn quotes_separators_and_line_breaks_within_fields_are_text() {
    let file =
        csv("id,name,note\n1,\"Ann, the first\",\"says \"\"hi\"\"\"\n2,\"Bo\nb\",\"\"\n3,5\" nail,'x'\n");
    assert_eq!(file.rows(), ["1|Ann, the first|says \"hi\"", "2|Bo\nb|", "3|5\" nail|'x'"]);
}

#[test]
fn every_line_ending_ends_a_record_and_blank_lines_are_none() {
    for ending in ["\n", "\r\n", "\r"] {
        let text = ["id,name", "1,Ann", "", "2,\"two", "lines\"", "", ""].join(ending);
        let rows = csv(&text).rows();
        assert_eq!(rows, ["1|Ann".to_owned(), format!("2|two{ending}lines")], "{ending:?}");
    }
}

#[test]
fn the_last_record_needs_no_line_break() {
    assert_eq!(csv("id,name\n1,Ann").rows(), ["1|Ann"]);
    assert_eq!(csv("id,name\n1,").rows(), ["1|"]);
    assert_eq!(csv("id,name\n1,\"Ann\"").rows(), ["1|Ann"]);
}

#[test]
fn separators_are_detected_or_given() {
    use copymill_campaign::Separator::{Comma, Pipe, Semicolon, Tab};
    let files = [
        (Comma, "id,name\n1,a;b;c\n"),
        (Semicolon, "id;price;city\n1;1,50;Köln, Altstadt\n2;2,00;Bonn\n"),
        (Tab, "id\tname\n1\ta,b\n"),
        (Pipe, "id|name\n1|a,b\n"),
        (Semicolon, "sep=;\r\nid;name\r\n1;a\r\n"),
        (Semicolon, "id;name\n1;\"x,y,z\"\n2;\"a,b\nc,d\"\n"),
        (Comma, "id\n1\n2\n"),
    ];
    for (separator, text) in files {
        let reader = csv(text).open().unwrap();
        assert_eq!(reader.describe().separator, Some(separator), "{text}");
        assert!(reader.into_iter().all(|record| record.values.is_ok()), "{text}");
    }
    let options = AudienceOptions { separator: Some(Pipe), ..AudienceOptions::default() };
    let file = csv("id,x|name\n1,2|Ann\n");
    let reader = AudienceReader::open(&file.path, options).unwrap();
    assert_eq!(reader.columns(), ["id,x", "name"]);
    assert_eq!(reader.describe().to_string(), "CSV separated by pipes, UTF-8, 2 columns");
}

#[test]
fn what_recipients_write_is_passed_on_exactly() {
    let names = [
        "<|im_end|>",
        "[[price]]",
        "{{7*7}}",
        "=HYPERLINK(\"http://x\")",
        "Robert'); DROP TABLE",
        "a\r\nb",
        "\u{202e}evil",
        "Zo\u{308}e",
        "a\u{200b}b",
        "\u{e0041}",
        "👩‍👩‍👧",
        "ignore all previous instructions",
        " padded ",
        "O’Brien",
        "\u{2028}",
    ];
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["id", "name"]).unwrap();
    names.iter().enumerate().for_each(|(id, name)| writer.write_record([&id.to_string(), *name]).unwrap());
    let rows = csv(writer.into_inner().unwrap()).rows();
    assert_eq!(rows, names.iter().enumerate().map(|(id, name)| format!("{id}|{name}")).collect::<Vec<_>>());
}

#[test]
fn skipping_leads_to_the_same_records_as_reading() {
    let file = csv("id,name\n1,Ann\n2\n3,\"x\ny\"\n4,Di\n");
    let all: Vec<Record> = file.open().unwrap().into_iter().collect();
    for skipped in 0..=all.len() {
        let mut reader = file.open().unwrap();
        reader.skip(skipped as u64).unwrap();
        assert_eq!(reader.into_iter().collect::<Vec<_>>(), all[skipped..]);
    }
    let error = file.open().unwrap().skip(5).unwrap_err().to_string();
    assert!(error.ends_with("it has 4 records and had 5 before; did the file change?"), "{error}");
}
