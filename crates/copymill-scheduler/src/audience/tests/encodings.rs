//! Encodings: found, or named by the user; what cannot be decoded costs its row.

use encoding_rs::{Encoding, SHIFT_JIS, UTF_8, WINDOWS_1251, WINDOWS_1252};

use super::{csv, fixture};
use crate::audience::{AudienceOptions, AudienceReader};

const TEXT: &str = "id,name,city\n1,Zoë,Köln\n2,José,Málaga\n3,Łukasz,Łódź\n";

fn utf16(text: &str, big_endian: bool, mark: bool) -> Vec<u8> {
    let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    units.flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

fn assert_reads(bytes: &[u8], encoding: &str, text: &str) {
    let file = csv(bytes);
    assert_eq!(file.open().unwrap().describe().encoding, encoding);
    assert_eq!(file.open().unwrap().columns()[0], "id");
    let expected: Vec<String> = text.lines().skip(1).map(|line| line.replace(',', "|")).collect();
    assert_eq!(file.rows(), expected);
}

#[test]
fn unicode_is_read_with_and_without_a_byte_order_mark() {
    assert_reads(TEXT.as_bytes(), "UTF-8", TEXT);
    assert_reads(format!("\u{feff}{TEXT}").as_bytes(), "UTF-8", TEXT);
    for mark in [true, false] {
        assert_reads(&utf16(TEXT, false, mark), "UTF-16LE", TEXT);
        assert_reads(&utf16(TEXT, true, mark), "UTF-16BE", TEXT);
    }
}

#[test]
fn older_encodings_are_recognised() {
    let western = "id,name,city\n1,Zoë,Köln\n2,José,Málaga\n3,Renée’s,Orléans – Île\n";
    assert_reads(&WINDOWS_1252.encode(western).0, "windows-1252", western);
    let cyrillic = "id,name,city\n1,Анна,Москва\n2,Борис,Новосибирск\n3,Мария,Екатеринбург\n";
    assert_reads(&WINDOWS_1251.encode(cyrillic).0, "windows-1251", cyrillic);
    let japanese = "id,name,city\n1,佐藤,東京\n2,鈴木さくら,大阪市\n3,高橋ひかり,名古屋\n";
    assert_reads(&SHIFT_JIS.encode(japanese).0, "Shift_JIS", japanese);
}

#[test]
fn an_encoding_can_be_named_and_a_mark_outweighs_it() {
    let (bytes, _, _) = WINDOWS_1252.encode("id,name\n1,Zoë\n");
    let options =
        |encoding: &str| AudienceOptions { encoding: Some(encoding.into()), ..AudienceOptions::default() };
    let file = csv(&bytes);
    let reader = AudienceReader::open(&file.path, options("latin1")).unwrap();
    assert_eq!(super::shown(reader), ["1|Zoë"]);
    let marked = csv("\u{feff}id,name\n1,Zoë\n");
    let reader = AudienceReader::open(&marked.path, options("windows-1252")).unwrap();
    assert_eq!(super::shown(reader), ["1|Zoë"]);
    let error = AudienceReader::open(&file.path, options("utf8-de")).err().unwrap().to_string();
    assert!(error.contains("audience.encoding names the unknown encoding \"utf8-de\"; known are"), "{error}");
}

#[test]
fn invalid_utf_8_costs_its_row_and_not_the_file() {
    let rows = csv(b"id,name\n1,Zo\xc3\xab\n2,Jos\xe9\n3,K\xc3\xb6ln\n").rows();
    assert_eq!(rows[0], "1|Zoë");
    assert_eq!(
        rows[1],
        "invalid_encoding: line 3: bytes that are no text in the file's encoding; save the file as UTF-8, or name its encoding in audience.encoding"
    );
    assert_eq!(rows[2], "3|Köln");
    let ascii = csv(b"id,name\n1,Ann\n2,B\xff\xfe\n3,Cy\n").rows();
    assert_eq!((ascii[0].as_str(), ascii[2].as_str()), ("1|Ann", "3|Cy"));
    assert!(ascii[1].starts_with("invalid_encoding: line 3"), "{}", ascii[1]);
}

#[test]
fn half_a_character_in_utf_16_costs_its_row() {
    let mut bytes = utf16("id,name\n1,Ann\n2,", false, true);
    bytes.extend([0x00, 0xd8]);
    bytes.extend(utf16("\n3,Cy\n", false, false));
    let rows = csv(bytes).rows();
    assert_eq!((rows[0].as_str(), rows[2].as_str()), ("1|Ann", "3|Cy"));
    assert!(rows[1].starts_with("invalid_encoding: line 3"), "{}", rows[1]);
}

#[test]
fn characters_over_the_edge_of_a_piece_stay_whole() {
    for encoding in [UTF_8, WINDOWS_1252, SHIFT_JIS] {
        for shift in 0..4 {
            assert_survives_pieces(encoding, shift);
        }
    }
    let text = format!("id,name\n1,{}\n2,é\n", "x".repeat(40_000));
    assert_eq!(csv(utf16(&text, false, true)).rows()[1], "2|é");
}

fn assert_survives_pieces(encoding: &'static Encoding, shift: usize) {
    let letter = if encoding == SHIFT_JIS { "あ" } else { "é" };
    let row = |id: usize| format!("{id},{}\n", letter.repeat(50));
    let text: String =
        std::iter::once(format!("id,{}\n", "n".repeat(shift + 1))).chain((0..3_000).map(row)).collect();
    let (bytes, _, _) = encoding.encode(&text);
    let file = fixture("recipients.csv", &bytes);
    let options = AudienceOptions { encoding: Some(encoding.name().into()), ..AudienceOptions::default() };
    let reader = AudienceReader::open(&file.path, options).unwrap();
    assert!(
        reader.into_iter().all(|record| record.values.unwrap()[1] == letter.repeat(50)),
        "{}",
        encoding.name()
    );
}
