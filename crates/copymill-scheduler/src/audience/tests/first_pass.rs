//! The first pass: counts, hashes, duplicates and segments.

use std::collections::HashSet;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{csv, fixture};
use crate::audience::{AudienceScan, Gaps, ScanColumns, ScanLimits, scan, scan_within};

fn by(segment_by: &[String]) -> ScanColumns<'_> {
    ScanColumns { segment_by, filled: &[] }
}

fn ask(scan: &mut AudienceScan) -> Vec<u64> {
    (0..scan.records).filter(|ordinal| scan.duplicates.is_duplicate(*ordinal).unwrap()).collect()
}

#[test]
fn the_first_usable_row_with_an_id_wins() {
    let text = "id,name\n1,a\n2,b,too wide\n2,c\n 1 ,d\n2,e\n,f\n,g\nA,h\na,i\n";
    let mut scan = scan(csv(text).open_with_id("id").unwrap(), ScanColumns::default(), 10).unwrap();
    assert_eq!(ask(&mut scan), [3, 4]);
    assert_eq!((scan.records, scan.duplicates.count()), (9, 2));
    assert!(scan.segments.is_none());
}

#[test]
fn the_hash_is_of_every_byte_of_the_file() {
    for text in ["id\n1\n", "\u{feff}id\n1\n\n\n", "id,name\n1,\"never closed\n2,x\n", "sep=;\nid;x\n1;2\n"] {
        let file = csv(text);
        let scan = scan(file.open().unwrap(), ScanColumns::default(), 10).unwrap();
        let expected: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((scan.sha256, scan.bytes), (expected, text.len() as u64), "{text:?}");
    }
}

#[test]
fn the_hash_is_of_every_byte_once_where_the_file_is_read_again_from_its_beginning() {
    let rows: String = (2..300_000).map(|row| format!("{row},Zoé\n")).collect();
    let text = format!("id,name\n1,\"Zoé\n{rows}");
    let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode(&text);
    let scan = scan(csv(&bytes).open().unwrap(), ScanColumns::default(), 10).unwrap();
    let expected: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((scan.records, scan.sha256), (299_999, expected));
}

#[test]
fn segments_are_distinct_in_order_and_none_above_the_limit() {
    let file = csv("id,tier,city\n1,gold,Bonn\n2,silver,Rome\n3,gold,Bonn\n4,gold,Rome\n");
    let segments = |limit: usize| {
        let columns = ["city".to_owned(), "tier".to_owned()];
        scan(file.open().unwrap(), by(&columns), limit).unwrap().segments
    };
    let expected =
        [["Bonn", "gold"], ["Rome", "silver"], ["Rome", "gold"]].map(|key| key.map(str::to_owned).to_vec());
    assert_eq!(segments(3).unwrap(), expected);
    assert!(segments(2).is_none());
    let error = scan(file.open().unwrap(), by(&["teir".to_owned()]), 3).err().unwrap().to_string();
    assert!(error.ends_with("it has no column \"teir\"; did you mean \"tier\"?"), "{error}");
}

#[test]
fn rows_without_a_value_are_counted_by_column_and_the_first_has_its_line() {
    let file =
        csv("id,name,city\n1,Ada,Bonn\n2,,Bonn\n3,too few\n4, N/A ,Bonn\n5,\u{200b},Bonn\n6,Nan,Bonn\n");
    let filled = ["name".to_owned(), "city".to_owned()];
    let scan = scan(file.open().unwrap(), ScanColumns { segment_by: &[], filled: &filled }, 1).unwrap();
    assert_eq!(scan.gaps, [Gaps { column: "name".into(), rows: 3, first: "line 3".into() }]);
}

#[test]
fn an_audience_without_recipients_is_an_error() {
    for name in ["recipients.csv", "recipients.tsv"] {
        let error = scan(fixture(name, "id,name\n\n").open().unwrap(), ScanColumns::default(), 1)
            .err()
            .unwrap()
            .to_string();
        assert!(error.ends_with("cannot be used: it has a header and no recipients"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn duplicates_are_what_a_set_would_find(ids in proptest::collection::vec(0_u8..40, 1..200), memory in 1_usize..2_000) {
        let text: String = std::iter::once("id\n".to_owned()).chain(ids.iter().map(|id| format!("{id}\n"))).collect();
        let limits = ScanLimits { segments_max: 1, duplicate_memory_bytes: memory };
        let mut scan = scan_within(csv(text).open_with_id("id").unwrap(), ScanColumns::default(), limits).unwrap();
        let mut seen = HashSet::new();
        let expected: Vec<u64> = (0..).zip(&ids).filter(|(_, id)| !seen.insert(**id)).map(|(row, _)| row).collect();
        prop_assert_eq!(ask(&mut scan), expected);
    }
}
