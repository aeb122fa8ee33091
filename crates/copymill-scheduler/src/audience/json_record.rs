//! One record of a JSONL file: an object whose values are texts, numbers, true or false, or null.

use std::{collections::HashMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    csv_record::{check_length, check_text},
    error::RecordError,
    reader::at_line,
    text_rows::KEY_RECORDS,
};

/// Reads a line. Numbers stay as they are written, null and keys that are not there are empty.
pub(super) fn read(bytes: &[u8], columns: &Columns, line: u64) -> Result<Vec<String>, RecordError> {
    let text = check_text(bytes, line)?;
    let mut values: Vec<Option<String>> = vec![None; columns.names.len()];
    let row = Row { columns, values: &mut values, line };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let outcome = row.deserialize(&mut deserializer).and_then(|outcome| deserializer.end().map(|()| outcome));
    match outcome {
        Ok(outcome) => outcome?,
        // The library's message may quote the line, so only the place in it is passed on.
        Err(error) => {
            let message = format!("{}: not a JSON object (character {})", at_line(line), error.column());
            return Err(RecordError::new("malformed_json", message));
        }
    }
    Ok(values.into_iter().map(Option::unwrap_or_default).collect())
}

/// The keys of a line; none where it is no object.
pub(super) fn keys(bytes: &[u8]) -> Vec<String> {
    type Object = indexmap::IndexMap<String, serde::de::IgnoredAny>;
    serde_json::from_slice::<Object>(bytes).map_or_else(|_| Vec::new(), |object| object.into_keys().collect())
}

/// Columns by name.
pub(super) struct Columns {
    names: Vec<String>,
    by_name: HashMap<String, usize>,
}

impl Columns {
    pub(super) fn new(names: &[String]) -> Self {
        let by_name = names.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        Self { names: names.to_vec(), by_name }
    }
}

struct Row<'a> {
    columns: &'a Columns,
    values: &'a mut [Option<String>],
    line: u64,
}

impl Row<'_> {
    fn take(&mut self, number: usize, key: &str, raw: &RawValue) -> Result<(), RecordError> {
        let line = at_line(self.line);
        let Some(&index) = self.columns.by_name.get(key.trim()) else {
            let message = format!(
                "{line}: key number {number} is no column; columns are the keys of the first {KEY_RECORDS} records"
            );
            return Err(RecordError::new("unknown_key", message));
        };
        let column = &self.columns.names[index];
        if self.values[index].is_some() {
            return Err(RecordError::new(
                "duplicate_key",
                format!("{line}: the key {column:?} is there twice"),
            ));
        }
        let raw = raw.get();
        let value = match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).map_err(|_| {
                RecordError::new(
                    "malformed_json",
                    format!("{line}: the text of {column:?} has an escape that is no character"),
                )
            })?,
            Some(b'{' | b'[') => {
                let message =
                    format!("{line}: the value of {column:?} is a list or an object; give it as text");
                return Err(RecordError::new("nested_value", message));
            }
            Some(b'n') => String::new(),
            _ => raw.to_owned(),
        };
        if value.contains('\0') {
            return Err(RecordError::new("null_byte", format!("{line}: a null character in {column:?}")));
        }
        check_length(value.len(), column, || at_line(self.line))?;
        self.values[index] = Some(value);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = Result<(), RecordError>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = Result<(), RecordError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut outcome = Ok(());
        let mut number = 0;
        // The object is read to its end even after an error, so that what is no JSON at all is found first.
        while let Some(key) = map.next_key::<String>()? {
            number += 1;
            let raw = map.next_value::<&RawValue>()?;
            if outcome.is_ok() {
                outcome = self.take(number, &key, raw);
            }
        }
        Ok(outcome)
    }
}
