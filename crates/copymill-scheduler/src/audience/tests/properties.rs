//! What holds for every file.

use encoding_rs::{UTF_8, WINDOWS_1252};
use proptest::prelude::*;

use super::{csv, fixture};
use crate::audience::{AudienceOptions, AudienceReader, Record};

fn table(cell: &'static str) -> impl Strategy<Value = Vec<Vec<String>>> {
    (1_usize..5).prop_flat_map(move |width| {
        proptest::collection::vec(proptest::collection::vec(cell, width..=width), 1..20)
    })
}

/// Writes a table as the `csv` crate does, below a header of plain names.
fn written(table: &[Vec<String>], separator: u8, terminator: csv::Terminator) -> String {
    let mut writer =
        csv::WriterBuilder::new().delimiter(separator).terminator(terminator).from_writer(Vec::new());
    let header: Vec<String> = (0..table[0].len()).map(|column| format!("c{column}")).collect();
    writer.write_record(&header).unwrap();
    table.iter().for_each(|row| writer.write_record(row).unwrap());
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

fn encoded(text: &str, encoding: u8) -> Vec<u8> {
    let utf16 = |to_bytes: fn(u16) -> [u8; 2]| {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(to_bytes).collect::<Vec<u8>>()
    };
    match encoding {
        0 => text.as_bytes().to_vec(),
        1 => format!("\u{feff}{text}").into_bytes(),
        2 => utf16(u16::to_le_bytes),
        3 => utf16(u16::to_be_bytes),
        _ => WINDOWS_1252.encode(text).0.into_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_table_that_is_written_is_read_back(
        table in table("[a-zA-Z0-9 ,;|\"'\r\n\té€ü=-]{0,12}"),
        separator in prop::sample::select(b",;\t|".to_vec()),
        ending in 0_u8..3,
        encoding in 0_u8..5,
    ) {
        let terminator = [csv::Terminator::CRLF, csv::Terminator::Any(b'\n'), csv::Terminator::Any(b'\r')][ending as usize];
        let file = csv(encoded(&written(&table, separator, terminator), encoding));
        let given = |wanted: u8| match wanted {
            b',' => copymill_campaign::Separator::Comma,
            b';' => copymill_campaign::Separator::Semicolon,
            b'\t' => copymill_campaign::Separator::Tab,
            _ => copymill_campaign::Separator::Pipe,
        };
        // Random cells may look like another encoding or separator; what is detected has tests of its own.
        let label = if encoding == 4 { WINDOWS_1252 } else { UTF_8 }.name();
        let options = AudienceOptions { separator: Some(given(separator)), encoding: Some(label.into()), id: None, name: None };
        let rows: Vec<Vec<String>> =
            AudienceReader::open(&file.path, options).unwrap().into_iter().map(|record| record.values.unwrap()).collect();
        prop_assert_eq!(rows, table);
    }

    #[test]
    fn any_bytes_give_an_error_or_records_in_order(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        assert_reads_without_harm("recipients.csv", &bytes);
        assert_reads_without_harm("recipients.jsonl", &bytes);
    }

    #[test]
    fn any_text_of_csv_signs_accounts_for_every_line(text in "id,n\n[a1\",;\r\n ]{0,200}") {
        assert_reads_without_harm("recipients.csv", text.as_bytes());
    }

    #[test]
    fn well_formed_text_is_read_as_the_csv_crate_reads_it(table in table("[a-z ,\"\n]{0,8}")) {
        let text = written(&table, b',', csv::Terminator::Any(b'\n'));
        let theirs: Vec<Vec<String>> = csv::Reader::from_reader(text.as_bytes())
            .records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
        let options = AudienceOptions { separator: Some(copymill_campaign::Separator::Comma), ..AudienceOptions::default() };
        let file = csv(&text);
        let ours: Vec<Vec<String>> =
            AudienceReader::open(&file.path, options).unwrap().into_iter().map(|record| record.values.unwrap()).collect();
        prop_assert_eq!(ours, theirs);
    }
}

fn assert_reads_without_harm(name: &str, bytes: &[u8]) {
    let file = fixture(name, bytes);
    let Ok(reader) = file.open() else { return };
    let width = reader.columns().len();
    let records: Vec<Record> = reader.into_iter().collect();
    for (expected, record) in (0..).zip(&records) {
        assert_eq!(record.ordinal, expected);
        assert!(record.values.as_ref().is_ok_and(|values| values.len() == width) || record.values.is_err());
    }
    assert!(records.len() <= bytes.len());
}
