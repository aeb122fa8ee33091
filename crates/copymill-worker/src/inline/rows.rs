//! Rows of an inline job: what a message has in the place of an audience.
//!
//! A row that cannot be used is `invalid` with its reason, as a record of an audience is; it never stops the others.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use copymill_campaign::{InputRow, Reason, RowStatus};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Bytes of one value at most, as in an audience.
const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Columns of a job at most, as in an audience.
const COLUMNS_MAX: usize = 1_000;
/// Characters of a column's name at most, as in an audience.
const NAME_CHARS_MAX: usize = 128;

/// The rows of a job and the columns that their values follow.
pub(super) struct Rows {
    /// All keys, in the order in which they appear.
    pub(super) columns: Vec<String>,
    /// The rows, numbered from 0.
    pub(super) rows: Vec<InputRow>,
}

type Read = Result<Vec<(String, String)>, Reason>;

impl Rows {
    /// Reads rows that are JSON text; `id` is the id column.
    pub(super) fn read(rows: &[Box<RawValue>], id: &str) -> Self {
        let mut columns: Vec<String> = Vec::new();
        let mut known = HashSet::new();
        let mut read: Vec<Read> = Vec::new();
        for row in rows {
            let keys = keys(row);
            if let Ok(keys) = &keys {
                let fresh: Vec<&String> =
                    keys.0.iter().map(|(key, _)| key).filter(|key| !known.contains(*key)).collect();
                if fresh.len() + columns.len() > COLUMNS_MAX {
                    let message = format!("with its keys the job has more than {COLUMNS_MAX} columns");
                    read.push(Err(reason("too_many_columns", message)));
                    continue;
                }
                for key in fresh.into_iter().filter(|key| is_column(key)) {
                    known.insert(key.clone());
                    columns.push(key.clone());
                }
            }
            read.push(keys.and_then(values));
        }
        let mut ids = HashSet::new();
        let rows =
            (0..).zip(read).map(|(row, read)| input_row(row, read, &columns, (id, &mut ids))).collect();
        Self { columns, rows }
    }
}

/// Puts the values of a row in the order of the columns. Keys that it lacks are empty.
fn input_row(row: u64, read: Read, columns: &[String], (id, ids): (&str, &mut HashSet<String>)) -> InputRow {
    let mut pairs: HashMap<String, String> = match read {
        Ok(pairs) => pairs.into_iter().collect(),
        Err(reason) => {
            let status = RowStatus::Invalid(reason);
            return InputRow { row, recipient_id: None, values: Vec::new(), status };
        }
    };
    let values: Vec<String> = columns.iter().map(|name| pairs.remove(name).unwrap_or_default()).collect();
    let own = columns.iter().position(|column| column == id).map_or("", |at| values[at].as_str());
    let status = if own.trim().is_empty() {
        RowStatus::Invalid(reason("missing_id", format!("the value of {id:?} is empty")))
    } else if !ids.insert(own.to_owned()) {
        RowStatus::Invalid(reason(
            "duplicate_id",
            "an earlier row has the same id; the first one is written to",
        ))
    } else {
        RowStatus::Ready
    };
    let recipient_id = Some(own.to_owned()).filter(|own| !own.trim().is_empty());
    InputRow { row, recipient_id, values, status }
}

/// The keys of a row and its values as JSON text.
fn keys(row: &RawValue) -> Result<Pairs<'_>, Reason> {
    serde_json::from_str(row.get()).map_err(|_| reason("malformed_json", "the row is no object"))
}

fn values(pairs: Pairs<'_>) -> Read {
    let mut seen = HashSet::new();
    let mut read = Vec::with_capacity(pairs.0.len());
    for (number, (key, raw)) in (1..).zip(pairs.0) {
        if !is_column(&key) {
            let message = format!("key number {number} is empty, too long or holds control characters");
            return Err(reason("bad_key", message));
        }
        let value = value(&key, raw)?;
        if !seen.insert(key.clone()) {
            return Err(reason("duplicate_key", format!("the key {key:?} is there twice")));
        }
        read.push((key, value));
    }
    Ok(read)
}

/// Numbers stay as they are written; null is empty.
fn value(key: &str, raw: &RawValue) -> Result<String, Reason> {
    let raw = raw.get();
    let value = match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw).map_err(|_| {
            reason("malformed_json", format!("the text of {key:?} has an escape that is no character"))
        })?,
        Some(b'{' | b'[') => {
            return Err(reason(
                "nested_value",
                format!("the value of {key:?} is a list or an object; give it as text"),
            ));
        }
        Some(b'n') => String::new(),
        _ => raw.to_owned(),
    };
    if value.contains('\0') {
        return Err(reason("null_byte", format!("a null character in {key:?}")));
    }
    if value.len() > VALUE_BYTES_MAX {
        let message = format!("{key:?} has {} bytes; at most {VALUE_BYTES_MAX} are read", value.len());
        return Err(reason("field_too_large", message));
    }
    Ok(value)
}

fn is_column(key: &str) -> bool {
    !key.trim().is_empty() && key.chars().count() <= NAME_CHARS_MAX && !key.chars().any(char::is_control)
}

fn reason(code: &str, message: impl Into<String>) -> Reason {
    Reason { code: code.into(), field: None, message: message.into(), attempt: 0 }
}

/// An object as it is written: in order, equal keys included.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    pairs.push((key, map.next_value()?));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &str) -> Rows {
        let rows: Vec<Box<RawValue>> = serde_json::from_str(rows).unwrap();
        Rows::read(&rows, "id")
    }

    fn code(row: &InputRow) -> &str {
        match &row.status {
            RowStatus::Invalid(reason) => &reason.code,
            _ => "ready",
        }
    }

    #[test]
    fn values_are_what_is_written_in_the_order_of_all_keys() {
        let Rows { columns, rows } =
            read(r#"[{"id":"a","points":1e3},{"city":null,"id":7,"vip":true},{"id":"\u0041da"}]"#);
        assert_eq!(columns, ["id", "points", "city", "vip"]);
        assert_eq!(rows[0].values, ["a", "1e3", "", ""]);
        assert_eq!(rows[1].values, ["7", "", "", "true"]);
        assert_eq!((rows[2].row, rows[2].recipient_id.as_deref()), (2, Some("Ada")));
    }

    #[test]
    fn a_row_that_cannot_be_used_says_why_and_stops_no_other() {
        let large = "x".repeat(VALUE_BYTES_MAX + 1);
        let many: Vec<String> = (0..=COLUMNS_MAX).map(|i| format!("\"k{i}\":1")).collect();
        let rows = format!(
            r#"[{{"id":"a"}},{{"id":"a"}},{{"id":" "}},[1],"x",{{"id":"b","n":{{}}}},{{"id":"c","id":"d"}},
                {{"id":"e","":1}},{{"id":"f\u0000"}},{{"id":"{large}"}},{{{}}},{{"id":"\ud800"}},{{"id":"z"}}]"#,
            many.join(",")
        );
        let read = read(&rows);
        let codes: Vec<&str> = read.rows.iter().map(code).collect();
        let expected = [
            "ready",
            "duplicate_id",
            "missing_id",
            "malformed_json",
            "malformed_json",
            "nested_value",
            "duplicate_key",
            "bad_key",
            "null_byte",
            "field_too_large",
            "too_many_columns",
            "malformed_json",
            "ready",
        ];
        assert_eq!(codes, expected);
        assert_eq!(read.columns, ["id", "n"]);
    }
}
