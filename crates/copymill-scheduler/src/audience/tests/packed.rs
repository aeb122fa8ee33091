//! Files that are packed: read as what is in them, whatever they are called, and never as less.

use std::io::Write;

use sha2::{Digest, Sha256};

use super::{Fixture, fixture, shown};
use crate::audience::{RECORD_BYTES_MAX, ScanColumns, scan};

pub(super) fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstd(text: impl AsRef<[u8]>) -> Vec<u8> {
    zstd::encode_all(text.as_ref(), 1).unwrap()
}

fn both(name: &str, text: impl AsRef<[u8]>) -> [Fixture; 2] {
    [fixture(name, gzip(&text)), fixture(name, zstd(&text))]
}

#[test]
fn packed_files_are_recognised_by_what_they_hold() {
    let [gzipped, zstandard] = both("recipients.csv", "id,name\n1,Ann\n");
    assert_eq!(
        gzipped.open().unwrap().describe().to_string(),
        "CSV separated by commas, gzip, UTF-8, 2 columns"
    );
    assert_eq!(
        zstandard.open().unwrap().describe().to_string(),
        "CSV separated by commas, zstd, UTF-8, 2 columns"
    );
    assert_eq!(gzipped.rows(), ["1|Ann"]);
    assert_eq!(zstandard.rows(), ["1|Ann"]);
    assert_eq!(fixture("recipients.csv.gz", "id,name\n1,Ann\n").rows(), ["1|Ann"]);
    for file in both("recipients.jsonl.gz", "\n{\"id\":1}\n").into_iter().chain(both("list", "{\"id\":1}\n"))
    {
        assert_eq!(file.rows(), ["1"]);
    }
}

#[test]
fn encodings_and_broken_quotes_are_found_in_packed_files_too() {
    let between: String = (0..120_000).map(|row| format!("{row},Zoë {row}\n")).collect();
    assert!(between.len() > RECORD_BYTES_MAX);
    let text = format!("\u{feff}id,name\nbad,\"Bo\n{between}");
    for file in both("recipients.csv", &text) {
        let rows = file.rows();
        assert!(rows[0].starts_with("unclosed_quote: line 2"), "{}", rows[0]);
        assert_eq!((rows.len(), rows[120_000].as_str()), (120_001, "119999|Zoë 119999"));
    }
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode("id,name\n1,Zoë\n2,José\n3,Renée’s\n");
    for file in both("recipients.csv", &latin) {
        assert_eq!(file.rows(), ["1|Zoë", "2|José", "3|Renée’s"]);
    }
}

#[test]
fn the_hash_is_of_the_file_as_it_is_stored() {
    for packed in [gzip("id\n1\n"), zstd("id\n1\n"), [gzip("id\n"), gzip("1\n")].concat()] {
        let file = fixture("recipients.csv", &packed);
        let scan = scan(file.open().unwrap(), ScanColumns::default(), 1).unwrap();
        let expected: String = Sha256::digest(&packed).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((scan.records, scan.sha256, scan.bytes), (1, expected, packed.len() as u64));
    }
}

#[test]
fn a_packed_file_that_was_cut_short_is_never_a_shorter_audience() {
    let rows: String =
        (0..3_000).map(|row| format!("{row},{}\n", Sha256::digest(row.to_string())[0])).collect();
    for (packed, word) in [(gzip(format!("id,n\n{rows}")), "gzip"), (zstd(format!("id,n\n{rows}")), "zstd")] {
        for length in (20..packed.len()).step_by(61) {
            let file = fixture("recipients.csv", &packed[..length]);
            let error = file
                .open()
                .and_then(|reader| scan(reader, ScanColumns::default(), 1))
                .err()
                .unwrap()
                .to_string();
            assert!(
                error.contains(&format!("cannot be used: its {word} data ends early or is damaged")),
                "{length}: {error}"
            );
        }
    }
}

#[test]
fn a_small_file_that_unpacks_to_a_huge_record_costs_that_row_alone() {
    let text = format!("id,name\n1,{}\n2,Bo\n", "x".repeat(64 << 20));
    for file in both("recipients.csv", &text) {
        assert!(std::fs::metadata(&file.path).unwrap().len() < 1 << 20);
        let rows = file.rows();
        assert!(rows[0].starts_with("record_too_large: line 2"), "{}", &rows[0][..40]);
        assert_eq!(rows[1], "2|Bo");
    }
}

#[test]
fn what_was_packed_twice_or_with_another_program_is_named() {
    let unusable = |bytes: Vec<u8>| fixture("recipients.csv", bytes).refusal();
    assert_eq!(
        unusable(gzip(zstd("id\n1\n"))),
        "the audience recipients.csv cannot be used: it is packed twice; unpack it once"
    );
    assert!(unusable(gzip(b"PAR1")).ends_with("it is a Parquet file that was packed again; unpack it"));
    assert!(unusable(b"BZh91AY".to_vec()).ends_with("it is packed with bzip2; pack it with gzip or zstd"));
    assert!(unusable(zstd("")).ends_with("it is empty; the first line must name the columns"));
    assert_eq!(shown(fixture("recipients.csv", gzip("id\nBZ\n")).open().unwrap()), ["BZ"]);
}
