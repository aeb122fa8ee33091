//! Writes GGUF version 3: keys, a tensor table, then data that is produced as it is written.

use std::io::{self, Write};

/// Where tensors begin, in bytes; the format's default.
const ALIGNMENT: u64 = 32;

/// A metadata value.
pub(super) enum Value {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    Integers(Vec<i32>),
}

/// How a tensor's numbers are stored.
#[derive(Clone, Copy)]
pub(super) enum TensorType {
    F32,
    Q8_0,
}

struct Tensor {
    name: String,
    shape: Vec<u64>,
    kind: TensorType,
}

/// Collects a header; writing it asks for the data of each tensor.
#[derive(Default)]
pub(super) struct GgufWriter {
    values: Vec<(String, Value)>,
    tensors: Vec<Tensor>,
}

impl GgufWriter {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn set(&mut self, key: &str, value: Value) {
        self.values.push((key.to_owned(), value));
    }

    /// Adds a tensor; `shape` has the innermost dimension first.
    pub(super) fn tensor(&mut self, name: &str, shape: &[u64], kind: TensorType) {
        self.tensors.push(Tensor { name: name.to_owned(), shape: shape.to_vec(), kind });
    }

    /// Writes the file. `fill` is called once per tensor, in order, with its name and length in bytes.
    pub(super) fn write(
        &self,
        sink: &mut dyn Write,
        fill: impl Fn(&str, u64, &mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let header = self.header();
        sink.write_all(&header)?;
        pad(header.len() as u64, sink)?;
        for tensor in &self.tensors {
            fill(&tensor.name, tensor.bytes(), sink)?;
            pad(tensor.bytes(), sink)?;
        }
        Ok(())
    }

    fn header(&self) -> Vec<u8> {
        const VERSION: u32 = 3;
        let mut header = b"GGUF".to_vec();
        header.extend(VERSION.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend((self.values.len() as u64).to_le_bytes());
        for (key, value) in &self.values {
            put_text(&mut header, key);
            put_value(&mut header, value);
        }
        let mut offset = 0_u64;
        for tensor in &self.tensors {
            put_text(&mut header, &tensor.name);
            header.extend(u32::try_from(tensor.shape.len()).unwrap_or(0).to_le_bytes());
            tensor.shape.iter().for_each(|length| header.extend(length.to_le_bytes()));
            header.extend(tensor.kind.number().to_le_bytes());
            header.extend(offset.to_le_bytes());
            offset += tensor.bytes().next_multiple_of(ALIGNMENT);
        }
        header
    }
}

impl Tensor {
    fn bytes(&self) -> u64 {
        let elements: u64 = self.shape.iter().product();
        match self.kind {
            TensorType::F32 => 4 * elements,
            TensorType::Q8_0 => elements / 32 * 34,
        }
    }
}

impl TensorType {
    /// The number of `ggml_type`.
    fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::Q8_0 => 8,
        }
    }
}

fn pad(length: u64, sink: &mut dyn Write) -> io::Result<()> {
    let missing = usize::try_from(length.next_multiple_of(ALIGNMENT) - length).unwrap_or(0);
    sink.write_all(&[0; ALIGNMENT as usize][..missing])
}

fn put_text(header: &mut Vec<u8>, text: &str) {
    header.extend((text.len() as u64).to_le_bytes());
    header.extend(text.as_bytes());
}

/// Type numbers of the format's `gguf_metadata_value_type`.
fn put_value(header: &mut Vec<u8>, value: &Value) {
    const U32: u32 = 4;
    const I32: u32 = 5;
    const F32: u32 = 6;
    const BOOL: u32 = 7;
    const TEXT: u32 = 8;
    const ARRAY: u32 = 9;
    let mut kinds = |kinds: &[u32]| kinds.iter().for_each(|kind| header.extend(kind.to_le_bytes()));
    match value {
        Value::U32(number) => {
            kinds(&[U32]);
            header.extend(number.to_le_bytes());
        }
        Value::F32(number) => {
            kinds(&[F32]);
            header.extend(number.to_le_bytes());
        }
        Value::Bool(flag) => {
            kinds(&[BOOL]);
            header.push(u8::from(*flag));
        }
        Value::Text(text) => {
            kinds(&[TEXT]);
            put_text(header, text);
        }
        Value::Texts(texts) => {
            kinds(&[ARRAY, TEXT]);
            header.extend((texts.len() as u64).to_le_bytes());
            texts.iter().for_each(|text| put_text(header, text));
        }
        Value::Integers(numbers) => {
            kinds(&[ARRAY, I32]);
            header.extend((numbers.len() as u64).to_le_bytes());
            numbers.iter().for_each(|number| header.extend(number.to_le_bytes()));
        }
    }
}
