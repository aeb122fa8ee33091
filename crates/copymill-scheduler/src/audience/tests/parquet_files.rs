//! Parquet files: every scalar as exact text, and what cannot be read is named.

use std::sync::Arc;

use parquet::{
    basic::{Compression, ZstdLevel},
    column::writer::ColumnWriter,
    data_type::{ByteArray, FixedLenByteArray, Int96},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use proptest::prelude::*;

use super::{Fixture, csv, fixture, packed, shown};
use crate::audience::{FIELD_BYTES_MAX, ScanColumns, scan};

/// A column's values that are there, and which rows have one; without it, all do.
struct Cells(Values, Option<Vec<i16>>);

enum Values {
    Bools(Vec<bool>),
    Int32s(Vec<i32>),
    Int64s(Vec<i64>),
    Int96s(Vec<Int96>),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

fn all(values: Values) -> Cells {
    Cells(values, None)
}

fn bytes(values: &[&[u8]]) -> Values {
    Values::Bytes(values.iter().map(|value| ByteArray::from(value.to_vec())).collect())
}

/// A file with the columns of a schema and so many row groups.
fn written(schema: &str, groups: Vec<Vec<Cells>>, compression: Compression) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for columns in groups {
        let mut group = writer.next_row_group().unwrap();
        for Cells(values, levels) in columns {
            let mut column = group.next_column().unwrap().unwrap();
            let levels = levels.as_deref();
            match (column.untyped(), values) {
                (ColumnWriter::BoolColumnWriter(to), Values::Bools(values)) => {
                    to.write_batch(&values, levels, None)
                }
                (ColumnWriter::Int32ColumnWriter(to), Values::Int32s(values)) => {
                    to.write_batch(&values, levels, None)
                }
                (ColumnWriter::Int64ColumnWriter(to), Values::Int64s(values)) => {
                    to.write_batch(&values, levels, None)
                }
                (ColumnWriter::Int96ColumnWriter(to), Values::Int96s(values)) => {
                    to.write_batch(&values, levels, None)
                }
                (ColumnWriter::FloatColumnWriter(to), Values::Floats(values)) => {
                    to.write_batch(&values, levels, None)
                }
                (ColumnWriter::DoubleColumnWriter(to), Values::Doubles(values)) => {
                    to.write_batch(&values, levels, None)
                }
                (ColumnWriter::ByteArrayColumnWriter(to), Values::Bytes(values)) => {
                    to.write_batch(&values, levels, None)
                }
                (ColumnWriter::FixedLenByteArrayColumnWriter(to), Values::Fixed(values)) => {
                    to.write_batch(&values, levels, None)
                }
                _ => panic!("a column of another type"),
            }
            .unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn parquet(schema: &str, columns: Vec<Cells>) -> Fixture {
    fixture("recipients.parquet", written(schema, vec![columns], Compression::SNAPPY))
}

/// A file with text columns `c0`, `c1` …, so many rows in a group.
fn of_table(table: &[Vec<String>], rows_per_group: usize, compression: Compression) -> Vec<u8> {
    let width = table[0].len();
    let columns: String = (0..width).map(|index| format!("optional binary c{index} (UTF8);")).collect();
    let cells = |rows: &[Vec<String>], column: usize| {
        let present: Vec<&[u8]> =
            rows.iter().map(|row| row[column].as_bytes()).filter(|value| !value.is_empty()).collect();
        let levels = rows.iter().map(|row| i16::from(!row[column].is_empty())).collect();
        Cells(bytes(&present), Some(levels))
    };
    let groups =
        table.chunks(rows_per_group).map(|rows| (0..width).map(|column| cells(rows, column)).collect());
    written(&format!("message list {{ {columns} }}"), groups.collect(), compression)
}

#[test]
fn every_scalar_is_exact_text_and_null_is_empty() {
    let schema = "message list {
        required int64 id; required boolean vip; required int32 small (INTEGER(8,true)); required int32 big (INTEGER(32,false));
        required int32 price (DECIMAL(9,2)); required binary worth (DECIMAL(20,3)); required float share; required double rate;
        required int32 born (DATE); required int64 seen (TIMESTAMP(MILLIS,true)); required int64 local (TIMESTAMP(MICROS,false));
        required int96 spark; required int32 at (TIME(MILLIS,true)); required fixed_len_byte_array(16) key (UUID);
        required binary tier (ENUM); required binary name (STRING); required binary plain; optional binary note (STRING);
    }";
    let mut spark = Int96::new();
    spark.set_data(1_000_000_000, 0, 2_440_589);
    let file = parquet(
        schema,
        vec![
            all(Values::Int64s(vec![i64::MIN])),
            all(Values::Bools(vec![true])),
            all(Values::Int32s(vec![-5])),
            all(Values::Int32s(vec![-1])),
            all(Values::Int32s(vec![-1250])),
            all(bytes(&[&[0x01, 0x00]])),
            all(Values::Floats(vec![0.1])),
            all(Values::Doubles(vec![12.0])),
            all(Values::Int32s(vec![20_573])),
            all(Values::Int64s(vec![1_777_550_400_500])),
            all(Values::Int64s(vec![1_777_550_400_000_000])),
            all(Values::Int96s(vec![spark])),
            all(Values::Int32s(vec![43_200_000])),
            all(Values::Fixed(vec![ByteArray::from(vec![0xab; 16]).into()])),
            all(bytes(&[b"gold"])),
            all(bytes(&["Zoë".as_bytes()])),
            all(bytes(&[b"text"])),
            Cells(bytes(&[]), Some(vec![0])),
        ],
    );
    let expected = "-9223372036854775808|true|-5|4294967295|-12.50|0.256|0.1|12|2026-04-30|2026-04-30T12:00:00.5Z|\
                    2026-04-30T12:00:00|1970-01-02T00:00:01|12:00:00|abababab-abab-abab-abab-abababababab|gold|Zoë|text|";
    assert_eq!(file.rows(), [expected]);
    assert_eq!(file.open().unwrap().describe().to_string(), "Parquet, 18 columns");
}

#[test]
fn a_column_that_is_nested_or_of_a_type_without_text_is_named() {
    let nested = [
        "message list { required int64 id; optional group address { optional binary city (STRING); } }",
        "message list { required int64 id; optional group address (LIST) { repeated group list { optional binary element; } } }",
        "message list { required int64 id; repeated binary address; }",
    ];
    let refusal =
        |schema: &str| fixture("list.parquet", written(schema, Vec::new(), Compression::SNAPPY)).refusal();
    for schema in nested {
        let refusal = refusal(schema);
        assert!(refusal.contains("the column \"address\" is nested"), "{refusal}");
    }
    for kind in
        ["fixed_len_byte_array(12) span (INTERVAL)", "fixed_len_byte_array(4) span", "binary span (BSON)"]
    {
        let refusal = refusal(&format!("message list {{ required int64 id; required {kind}; }}"));
        assert!(refusal.contains("the column \"span\" has the type"), "{refusal}");
    }
    let refusal = refusal("message list { required int64 id; required int64 id; }");
    assert!(refusal.contains("two columns have the name \"id\""), "{refusal}");
}

#[test]
fn rows_that_cannot_be_used_cost_themselves_alone_and_name_their_number() {
    let long = vec![b'x'; FIELD_BYTES_MAX + 1];
    let huge = vec![b'x'; 2 << 20];
    let ids: [&[u8]; 7] = [b"1", b"2", b"3", b" ", b"5", b"6", b"7"];
    let names: [&[u8]; 7] = [b"Ann", b"Jos\xe9", b"A\0n", b"Di", &long, &huge, b"Flo"];
    let schema = "message list { required binary id (STRING); required binary name (STRING); required int32 born (DATE); }";
    let born = Values::Int32s(vec![0, 0, 0, 0, 0, 0, i32::MAX]);
    let file = parquet(schema, vec![all(bytes(&ids)), all(bytes(&names)), all(born)]);
    let rows = shown(file.open_with_id("id").unwrap());
    assert_eq!(
        rows,
        [
            "1|Ann|1970-01-01",
            "invalid_encoding: row 2: the bytes of the column \"name\" are no UTF-8 text",
            "null_byte: row 3: a null byte",
            "missing_id: row 4: the id column \"id\" is empty",
            "field_too_large: row 5: the column \"name\" has 65537 bytes; at most 65536 are read",
            "record_too_large: row 6: a record of more than 1048576 bytes",
            "value_out_of_range: row 7: the number or time of the column \"born\" is out of range",
        ]
    );
}

#[test]
fn skipping_leads_to_the_same_rows_as_reading_across_row_groups() {
    let table: Vec<Vec<String>> = (0..50).map(|row| vec![row.to_string(), format!("n{row}")]).collect();
    let file = fixture("list.parquet", of_table(&table, 7, Compression::UNCOMPRESSED));
    let all = file.rows();
    for skipped in [0, 1, 6, 7, 8, 14, 33, 49, 50] {
        let mut reader = file.open().unwrap();
        reader.skip(skipped).unwrap();
        let next = reader.next_record().unwrap();
        assert_eq!(
            next.map(|record| (record.ordinal, record.values.unwrap().join("|"))),
            all.get(skipped as usize).map(|row| (skipped, row.clone()))
        );
    }
    let error = file.open().unwrap().skip(51).unwrap_err().to_string();
    assert!(error.ends_with("it has 50 records and had 51 before; did the file change?"), "{error}");
}

#[test]
fn a_parquet_file_that_was_cut_short_or_altered_is_never_a_shorter_audience() {
    let table: Vec<Vec<String>> =
        (0..400).map(|row| vec![row.to_string(), format!("name {}", row % 7)]).collect();
    let whole = of_table(&table, 100, Compression::ZSTD(ZstdLevel::default()));
    for length in (4..whole.len()).step_by(7) {
        let refusal = fixture("list.parquet", &whole[..length]).refusal();
        assert!(refusal.contains("cut short") || refusal.contains("damaged"), "{length}: {refusal}");
    }
    for at in (4..whole.len()).step_by(3) {
        let mut altered = whole.clone();
        altered[at] ^= 0x55;
        let file = fixture("list.parquet", altered);
        let scanned = file.open().and_then(|reader| scan(reader, ScanColumns::default(), 1));
        assert!(scanned.as_ref().map_or(true, |scan| scan.records == 400), "altered at {at}");
    }
}

#[test]
fn the_hash_of_a_parquet_file_is_of_every_byte() {
    let file = fixture("list.parquet", of_table(&[vec!["1".into()]], 1, Compression::SNAPPY));
    let stored = std::fs::read(&file.path).unwrap();
    let scan = scan(file.open().unwrap(), ScanColumns::default(), 1).unwrap();
    assert_eq!((scan.sha256, scan.bytes), (copymill_campaign::sha256_hex(&stored), stored.len() as u64));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_table_reads_the_same_from_every_kind_of_file(
        table in (1_usize..5).prop_flat_map(|width| {
            proptest::collection::vec(proptest::collection::vec("[a-zA-Z0-9 ,\"\né€-]{0,12}", width..=width), 1..40)
        }),
        rows_per_group in 1_usize..50,
        codec in 0_usize..4,
    ) {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record((0..table[0].len()).map(|column| format!("c{column}"))).unwrap();
        table.iter().for_each(|row| writer.write_record(row).unwrap());
        let text = writer.into_inner().unwrap();
        let codecs = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW, Compression::GZIP(Default::default())];
        let expected: Vec<String> = table.iter().map(|row| row.join("|")).collect();
        // Random cells may look like another separator; what is detected has tests of its own.
        let read = |file: Fixture| {
            let options = super::AudienceOptions {
                separator: Some(copymill_campaign::Separator::Comma),
                encoding: Some("utf-8".into()),
                ..Default::default()
            };
            shown(super::AudienceReader::open(&file.path, options).unwrap())
        };
        prop_assert_eq!(&read(csv(&text)), &expected);
        prop_assert_eq!(&read(csv(packed::gzip(&text))), &expected);
        prop_assert_eq!(&read(csv(packed::zstd(&text))), &expected);
        prop_assert_eq!(&read(csv(of_table(&table, rows_per_group, codecs[codec]))), &expected);
    }
}
