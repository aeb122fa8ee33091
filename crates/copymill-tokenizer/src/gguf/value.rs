//! Metadata values as GGUF stores them, reduced to the kinds that are asked for.

use std::io::Read;

use super::GgufError;
use super::reader::Reader;

/// Chat templates reach 100 KiB; nothing that is read as a string is longer.
pub(super) const MAX_STRING_BYTES: u64 = 16 << 20;

/// The largest known vocabularies have 262,144 tokens and about 520,000 merges.
const MAX_ARRAY_ITEMS: u64 = 4 << 20;

/// One metadata value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Text(String),
    Texts(Vec<String>),
    Integers(Vec<i64>),
    Floats(Vec<f32>),
    /// Read past but of no use here: arrays of booleans, of unsigned 64-bit or of strings that are not UTF-8.
    Opaque,
}

/// The type numbers of the format.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    fn read<R: Read>(reader: &mut Reader<'_, R>) -> Result<Self, GgufError> {
        use Kind::{Array, Bool, F32, F64, I8, I16, I32, I64, String, U8, U16, U32, U64};
        const BY_NUMBER: [Kind; 13] = [U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64];
        let number = reader.u32()?;
        let kind = usize::try_from(number).ok().and_then(|index| BY_NUMBER.get(index));
        kind.copied().ok_or_else(|| reader.malformed(format!("the unknown value type {number}")))
    }
}

impl Value {
    /// Reads a type number and the value that follows.
    pub(super) fn read<R: Read>(reader: &mut Reader<'_, R>) -> Result<Self, GgufError> {
        match Kind::read(reader)? {
            Kind::Array => read_array(reader),
            kind => read_scalar(reader, kind),
        }
    }
}

fn read_scalar<R: Read>(reader: &mut Reader<'_, R>, kind: Kind) -> Result<Value, GgufError> {
    Ok(match kind {
        Kind::U8 => Value::Integer(u8::from_le_bytes(reader.array()?).into()),
        Kind::I8 => Value::Integer(i8::from_le_bytes(reader.array()?).into()),
        Kind::U16 => Value::Integer(u16::from_le_bytes(reader.array()?).into()),
        Kind::I16 => Value::Integer(i16::from_le_bytes(reader.array()?).into()),
        Kind::U32 => Value::Integer(reader.u32()?.into()),
        Kind::I32 => Value::Integer(i32::from_le_bytes(reader.array()?).into()),
        Kind::U64 => Value::Integer(reader.u64()?.into()),
        Kind::I64 => Value::Integer(i64::from_le_bytes(reader.array()?).into()),
        Kind::F32 => Value::Float(f32::from_le_bytes(reader.array()?).into()),
        Kind::F64 => Value::Float(f64::from_le_bytes(reader.array()?)),
        Kind::Bool => Value::Boolean(reader.array::<1>()?[0] != 0),
        // A description in a legacy encoding is no reason to refuse a model.
        Kind::String => Value::Text(String::from_utf8_lossy(&reader.string_bytes()?).into_owned()),
        Kind::Array => return Err(reader.malformed("an array inside an array")),
    })
}

fn read_array<R: Read>(reader: &mut Reader<'_, R>) -> Result<Value, GgufError> {
    let kind = Kind::read(reader)?;
    let count = reader.count("items in one array", MAX_ARRAY_ITEMS)?;
    match kind {
        Kind::String => read_texts(reader, count),
        Kind::F32 => {
            let bytes = reader.bytes(count * 4)?;
            Ok(Value::Floats(bytes.chunks_exact(4).map(|item| f32::from_le_bytes(fixed(item))).collect()))
        }
        Kind::I32 => {
            let bytes = reader.bytes(count * 4)?;
            let items = bytes.chunks_exact(4).map(|item| i32::from_le_bytes(fixed(item)).into());
            Ok(Value::Integers(items.collect()))
        }
        Kind::U32 => {
            let bytes = reader.bytes(count * 4)?;
            let items = bytes.chunks_exact(4).map(|item| u32::from_le_bytes(fixed(item)).into());
            Ok(Value::Integers(items.collect()))
        }
        Kind::U8 | Kind::I8 | Kind::Bool => skip(reader, count),
        Kind::U16 | Kind::I16 => skip(reader, count * 2),
        Kind::U64 | Kind::I64 | Kind::F64 => skip(reader, count * 8),
        Kind::Array => Err(reader.malformed("an array inside an array")),
    }
}

fn read_texts<R: Read>(reader: &mut Reader<'_, R>, count: u64) -> Result<Value, GgufError> {
    const LENGTH_PREFIX_BYTES: u64 = 8;
    let mut texts = Vec::with_capacity(reader.capacity_for(count, LENGTH_PREFIX_BYTES));
    let mut all_utf8 = true;
    for _ in 0..count {
        match String::from_utf8(reader.string_bytes()?) {
            Ok(text) => texts.push(text),
            Err(_) => all_utf8 = false,
        }
    }
    Ok(if all_utf8 { Value::Texts(texts) } else { Value::Opaque })
}

fn skip<R: Read>(reader: &mut Reader<'_, R>, bytes: u64) -> Result<Value, GgufError> {
    reader.bytes(bytes)?;
    Ok(Value::Opaque)
}

fn fixed(item: &[u8]) -> [u8; 4] {
    item.try_into().expect("chunks_exact yields slices of that length")
}
