//! Reads a GGUF file's header: metadata and the tensor table, never the tensors.
//!
//! Model files come from the internet. Every count and length is checked against a limit and against the file's
//! own length before memory is taken for it, and a file that was cut short says so before a model is loaded.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

mod error;
mod facts;
mod reader;
mod tensor;
#[cfg(test)]
mod tests;
mod value;

pub use error::GgufError;
pub use tensor::TensorInfo;

use reader::Reader;
use value::Value;

/// Known models have under 100 keys; tools that embed notes add a few.
const MAX_KEYS: u64 = 65_536;

/// The largest mixture-of-experts models have some 50,000 tensors when experts are not stacked.
const MAX_TENSORS: u64 = 262_144;

/// The alignment of tensor data where the file does not state one.
const DEFAULT_ALIGNMENT: u64 = 32;

/// The header of a GGUF file.
#[derive(Debug, Clone)]
pub struct Gguf {
    path: PathBuf,
    values: HashMap<String, Value>,
    tensors: Vec<TensorInfo>,
}

impl Gguf {
    /// Reads the header of the file at `path` and checks that the file is as long as its tensors need.
    ///
    /// Takes milliseconds and memory of the order of the vocabulary, whatever the model's size.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, GgufError> {
        let path = path.as_ref();
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => GgufError::Missing { path: path.to_owned() },
            _ => GgufError::Unreadable { path: path.to_owned(), source },
        };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()));
        }
        Self::read(path, BufReader::with_capacity(1 << 20, file), metadata.len())
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensor table, in the order of the file.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The string at `key`.
    pub fn string(&self, key: &str) -> Option<&str> {
        match self.values.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer at `key`, whatever its width, where it is not negative.
    pub fn unsigned(&self, key: &str) -> Option<u64> {
        match self.values.get(key)? {
            Value::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The number at `key`, integers included.
    pub fn float(&self, key: &str) -> Option<f64> {
        match self.values.get(key)? {
            Value::Float(number) => Some(*number),
            Value::Integer(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// The truth value at `key`.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.values.get(key)? {
            Value::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The array of strings at `key`; none where one of them is not UTF-8.
    pub fn strings(&self, key: &str) -> Option<&[String]> {
        match self.values.get(key)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// The array of 32-bit integers at `key`.
    pub fn integers(&self, key: &str) -> Option<&[i64]> {
        match self.values.get(key)? {
            Value::Integers(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// The array of 32-bit floats at `key`.
    pub fn floats(&self, key: &str) -> Option<&[f32]> {
        match self.values.get(key)? {
            Value::Floats(numbers) => Some(numbers),
            _ => None,
        }
    }

    fn has_key_starting_with(&self, prefix: &str) -> bool {
        self.values.keys().any(|key| key.starts_with(prefix))
    }

    fn read(path: &Path, source: impl Read, length: u64) -> Result<Self, GgufError> {
        let mut reader = Reader::new(path, source, length);
        check_magic(&mut reader)?;
        let tensor_count = reader.count("tensors", MAX_TENSORS)?;
        let key_count = reader.count("keys", MAX_KEYS)?;
        let values = read_values(&mut reader, key_count)?;
        let tensors = read_tensors(&mut reader, tensor_count, &values)?;
        Ok(Self { path: path.to_owned(), values, tensors })
    }
}

fn check_magic<R: Read>(reader: &mut Reader<'_, R>) -> Result<(), GgufError> {
    const MAGIC: &[u8; 4] = b"GGUF";
    let found = reader.bytes(reader.length().min(MAGIC.len() as u64))?;
    // An empty file or a part of the magic is a download that broke off, not another format.
    if !MAGIC.starts_with(&found) {
        return Err(GgufError::NotGguf { path: reader.path.to_owned() });
    }
    let version = reader.u32()?;
    if !matches!(version, 2 | 3) {
        return Err(GgufError::Version { path: reader.path.to_owned(), version });
    }
    Ok(())
}

fn read_values<R: Read>(reader: &mut Reader<'_, R>, count: u64) -> Result<HashMap<String, Value>, GgufError> {
    const SMALLEST_ENTRY_BYTES: u64 = 13;
    let mut values = HashMap::with_capacity(reader.capacity_for(count, SMALLEST_ENTRY_BYTES));
    for _ in 0..count {
        let key = reader.name()?;
        let value = reader.value()?;
        if values.contains_key(&key) {
            return Err(reader.malformed(format!("the key {key:?} twice")));
        }
        values.insert(key, value);
    }
    Ok(values)
}

fn read_tensors<R: Read>(
    reader: &mut Reader<'_, R>,
    count: u64,
    values: &HashMap<String, Value>,
) -> Result<Vec<TensorInfo>, GgufError> {
    const SMALLEST_ENTRY_BYTES: u64 = 24;
    let mut tensors = Vec::with_capacity(reader.capacity_for(count, SMALLEST_ENTRY_BYTES));
    let mut data_bytes = 0;
    for _ in 0..count {
        let (tensor, end) = tensor::read_tensor(reader)?;
        data_bytes = data_bytes.max(end);
        tensors.push(tensor);
    }
    let alignment = match values.get("general.alignment") {
        Some(Value::Integer(alignment)) => {
            u64::try_from(*alignment).ok().filter(|value| value.is_power_of_two())
        }
        Some(_) => None,
        None => Some(DEFAULT_ALIGNMENT),
    };
    let alignment = alignment.ok_or_else(|| reader.malformed("an alignment that is no power of two"))?;
    let data_start = reader.position().checked_next_multiple_of(alignment);
    let expected = data_start.and_then(|start| start.checked_add(data_bytes));
    let expected = expected.ok_or_else(|| reader.malformed("tensors larger than any file"))?;
    if data_bytes > 0 && expected > reader.length() {
        let (path, length) = (reader.path.to_owned(), reader.length());
        return Err(GgufError::TruncatedTensors { path, length, expected });
    }
    Ok(tensors)
}
