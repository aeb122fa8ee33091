//! The fields of one CSV record that was cut.

use super::{FIELD_BYTES_MAX, error::RecordError, reader::at_line};

/// Where a record's fields end.
pub(super) struct Cuts<'a> {
    /// Ends in bytes from the record's beginning; not all where there are too many.
    pub(super) ends: &'a [usize],
    /// How many fields there are.
    pub(super) fields: usize,
}

/// Reads a record's fields.
pub(super) fn read(
    bytes: &[u8],
    cuts: Cuts<'_>,
    columns: &[String],
    line: u64,
) -> Result<Vec<String>, RecordError> {
    let Cuts { ends, fields } = cuts;
    let text = check_text(bytes, line)?;
    if fields != columns.len() {
        let code = if fields < columns.len() { "too_few_columns" } else { "too_many_columns" };
        let message = format!("{}: {fields} columns where the header has {}", at_line(line), columns.len());
        return Err(RecordError::new(code, message));
    }
    let mut start = 0;
    let mut values = Vec::with_capacity(fields);
    for (&end, column) in ends.iter().zip(columns) {
        let field = &text[start..end];
        check_length(field.len(), column, || at_line(line))?;
        values.push(unquote(field));
        start = end + 1;
    }
    Ok(values)
}

/// Fields as text whatever their number, for the header.
pub(super) fn read_header(bytes: &[u8], ends: &[usize], line: u64) -> Result<Vec<String>, RecordError> {
    let text = check_text(bytes, line)?;
    let mut start = 0;
    let mut names = Vec::with_capacity(ends.len());
    for &end in ends {
        names.push(unquote(&text[start..end]));
        start = end + 1;
    }
    Ok(names)
}

/// Checks that a record is text without null bytes.
pub(super) fn check_text(bytes: &[u8], line: u64) -> Result<&str, RecordError> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        let hint = "save the file as UTF-8, or name its encoding in audience.encoding";
        RecordError::new(
            "invalid_encoding",
            format!("{}: bytes that are no text in the file's encoding; {hint}", at_line(line)),
        )
    })?;
    if bytes.contains(&0) {
        return Err(RecordError::new("null_byte", format!("{}: a null byte", at_line(line))));
    }
    Ok(text)
}

/// Checks a field's length; `place` says where it stands.
pub(super) fn check_length(
    bytes: usize,
    column: &str,
    place: impl FnOnce() -> String,
) -> Result<(), RecordError> {
    if bytes <= FIELD_BYTES_MAX {
        return Ok(());
    }
    let place = place();
    let message =
        format!("{place}: the column {column:?} has {bytes} bytes; at most {FIELD_BYTES_MAX} are read");
    Err(RecordError::new("field_too_large", message))
}

fn unquote(field: &str) -> String {
    match field.strip_prefix('"').and_then(|field| field.strip_suffix('"')) {
        Some(inner) if inner.contains('"') => inner.replace("\"\"", "\""),
        Some(inner) => inner.to_owned(),
        None => field.to_owned(),
    }
}
