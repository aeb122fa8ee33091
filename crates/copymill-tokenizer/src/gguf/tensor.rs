//! The tensor table: names and shapes, and whether the file is long enough for them.

use std::io::Read;

use super::GgufError;
use super::reader::Reader;

/// The limit of ggml.
const MAX_DIMENSIONS: u32 = 4;

/// What the header says about one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Elements per dimension, the innermost first.
    pub shape: Vec<u64>,
}

/// Reads one entry of the table; also returns where its data ends, in bytes from the start of all tensor data.
pub(super) fn read_tensor<R: Read>(reader: &mut Reader<'_, R>) -> Result<(TensorInfo, u64), GgufError> {
    let name = reader.name()?;
    let dimensions = reader.u32()?;
    if dimensions > MAX_DIMENSIONS {
        return Err(reader.malformed(format!("a tensor of {dimensions} dimensions")));
    }
    let shape = (0..dimensions).map(|_| reader.u64()).collect::<Result<Vec<_>, _>>()?;
    let data_type = reader.u32()?;
    let offset = reader.u64()?;
    let end = data_bytes(&shape, data_type).and_then(|bytes| offset.checked_add(bytes));
    let end = end.ok_or_else(|| reader.malformed(format!("the tensor {name:?} is larger than any file")))?;
    Ok((TensorInfo { name, shape }, end))
}

/// Bytes of a tensor's data; 0 for a type that is not known here, so that only its start is checked.
fn data_bytes(shape: &[u64], data_type: u32) -> Option<u64> {
    let elements = shape.iter().try_fold(1_u64, |product, &length| product.checked_mul(length))?;
    let Some((block_elements, block_bytes)) = block_size(data_type) else { return Some(0) };
    elements.div_ceil(block_elements).checked_mul(block_bytes)
}

/// Elements and bytes per block, by the type numbers of ggml.h.
fn block_size(data_type: u32) -> Option<(u64, u64)> {
    Some(match data_type {
        0 | 26 => (1, 4),
        1 | 25 | 30 => (1, 2),
        24 => (1, 1),
        27 | 28 => (1, 8),
        2 | 20 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        39 => (32, 17),
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        16 => (256, 66),
        17 => (256, 74),
        18 => (256, 98),
        19 => (256, 50),
        21 => (256, 110),
        22 => (256, 82),
        23 => (256, 136),
        29 => (256, 56),
        34 => (256, 54),
        35 => (256, 66),
        40 => (64, 36),
        41 => (128, 18),
        42 => (64, 18),
        _ => return None,
    })
}
