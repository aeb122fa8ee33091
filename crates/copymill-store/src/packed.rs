//! Files as they are stored: plain, gzip or zstd, told apart by their first bytes, read unpacked and hashed as they are.
//!
//! Memory is bounded whatever a file claims: pieces are unpacked as they are read, gzip looks back 32 KiB, zstd as far as
//! [`ZSTD_WINDOW_LOG_MAX`] allows. Packed data that ends early or is damaged is an error, never a shorter text.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

/// Bytes that one file unpacks to at most: ten million records of 6 KiB. A small file that claims more is no list but a
/// mistake or an attack.
pub const UNPACKED_BYTES_MAX: u64 = 64 << 30;
/// Binary logarithm of the bytes that zstd may look back: 128 MiB, what `zstd --ultra -22` needs and the format's tools
/// accept without being told.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

const PIECE_BYTES: usize = 64 * 1024;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// With gzip; members that follow each other are one text.
    Gzip,
    /// With zstd; frames that follow each other are one text.
    Zstd,
}

impl Packing {
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// What is wrong with packed data; the source of the [`io::Error`] that reading ends with.
#[derive(Debug, thiserror::Error)]
pub enum PackedError {
    /// It does not unpack.
    #[error("its {packing} data ends early or is damaged ({reason}); make or copy the file again")]
    Damaged {
        /// How it is packed.
        packing: Packing,
        /// What the unpacker says.
        reason: String,
    },
    /// It unpacks to more than is read.
    #[error("its {packing} data unpacks to more than {limit} bytes; divide it into several files")]
    TooLarge {
        /// How it is packed.
        packing: Packing,
        /// Bytes that are read at most.
        limit: u64,
    },
}

/// What a file is, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digested {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// A file that reads as what is packed in it.
pub struct PackedFile {
    /// None only while it is replaced, or after that failed.
    reader: Option<Reader>,
    packing: Packing,
    /// Unpacked bytes since the beginning.
    position: u64,
    limit: u64,
}

enum Reader {
    Plain(Stored),
    Gzip(Box<MultiGzDecoder<BufReader<Stored>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Stored>>>),
}

impl PackedFile {
    /// Opens a file and looks at its first bytes.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::within(File::open(path)?, UNPACKED_BYTES_MAX)
    }

    fn within(mut file: File, limit: u64) -> io::Result<Self> {
        let mut head = [0; 4];
        let length = read_full(&mut file, &mut head)?;
        let packing = Packing::of(&head[..length]);
        let mut packed = Self { reader: None, packing, position: 0, limit };
        packed.begin(Stored::new(file))?;
        Ok(packed)
    }

    /// How it is packed.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// Goes to an offset of what is unpacked. Going back in a packed file means to unpack it again.
    pub fn go_to(&mut self, offset: u64) -> io::Result<()> {
        if self.packing == Packing::Plain {
            let Some(Reader::Plain(stored)) = &mut self.reader else { return Err(gone()) };
            self.position = offset;
            return stored.go_to(offset);
        }
        if offset < self.position {
            let stored = self.reader.take().ok_or_else(gone)?.into_stored();
            self.begin(stored)?;
        }
        let ahead = offset - self.position;
        io::copy(&mut self.take(ahead), &mut io::sink())?;
        Ok(())
    }

    /// Reads what is left of the stored file and returns what it is.
    pub fn digest(self) -> io::Result<Digested> {
        self.reader.ok_or_else(gone)?.into_stored().digest()
    }

    fn begin(&mut self, mut stored: Stored) -> io::Result<()> {
        stored.go_to(0)?;
        self.position = 0;
        self.reader = Some(match self.packing {
            Packing::Plain => Reader::Plain(stored),
            Packing::Gzip => {
                let stored = BufReader::with_capacity(PIECE_BYTES, stored);
                Reader::Gzip(Box::new(MultiGzDecoder::new(stored)))
            }
            Packing::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(BufReader::with_capacity(PIECE_BYTES, stored))?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Reader::Zstd(Box::new(decoder))
            }
        });
        Ok(())
    }

    /// An error of the unpacker as one that says what to do; one of the disk as it is.
    fn explain(&self, error: io::Error) -> io::Error {
        let is_of_disk = error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Interrupted;
        if self.packing == Packing::Plain || is_of_disk {
            return error;
        }
        let damaged = PackedError::Damaged { packing: self.packing, reason: error.to_string() };
        io::Error::new(io::ErrorKind::InvalidData, damaged)
    }
}

impl Read for PackedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.reader.as_mut().ok_or_else(gone)? {
            Reader::Plain(stored) => stored.read(buffer),
            Reader::Gzip(decoder) => decoder.read(buffer),
            Reader::Zstd(decoder) => decoder.read(buffer),
        };
        let count = read.map_err(|error| self.explain(error))?;
        self.position += count as u64;
        if self.packing != Packing::Plain && self.position > self.limit {
            let too_large = PackedError::TooLarge { packing: self.packing, limit: self.limit };
            return Err(io::Error::new(io::ErrorKind::InvalidData, too_large));
        }
        Ok(count)
    }
}

impl Reader {
    fn into_stored(self) -> Stored {
        match self {
            Self::Plain(stored) => stored,
            Self::Gzip(decoder) => decoder.into_inner().into_inner(),
            Self::Zstd(decoder) => decoder.finish().into_inner(),
        }
    }
}

/// The stored bytes, each hashed once although some may be read again.
struct Stored {
    file: File,
    position: u64,
    /// Bytes that the hash has seen; ahead of the position after going back.
    hashed: u64,
    hash: Sha256,
}

impl Stored {
    fn new(file: File) -> Self {
        Self { file, position: 0, hashed: 0, hash: Sha256::new() }
    }

    fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.position = self.file.seek(SeekFrom::Start(offset.min(self.hashed)))?;
        // What lies ahead is read rather than skipped, so that the hash misses nothing.
        let ahead = offset - self.position;
        io::copy(&mut self.by_ref().take(ahead), &mut io::sink())?;
        Ok(())
    }

    fn digest(mut self) -> io::Result<Digested> {
        self.go_to(self.hashed)?;
        io::copy(&mut self, &mut io::sink())?;
        let sha256 = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Digested { sha256, bytes: self.hashed })
    }
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let seen = usize::try_from(self.hashed - self.position).unwrap_or(usize::MAX).min(count);
        self.hash.update(&buffer[seen..count]);
        self.position += count as u64;
        self.hashed = self.hashed.max(self.position);
        Ok(count)
    }
}

/// Fills a buffer unless the text ends before.
pub fn read_full(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn gone() -> io::Error {
    io::Error::other("the file could not be read again from its beginning")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &[u8] = b"one\ntwo\nthree\n";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 3).unwrap()
    }

    fn opened(stored: &[u8], limit: u64) -> PackedFile {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(stored).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        PackedFile::within(file, limit).unwrap()
    }

    fn read(stored: &[u8]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        opened(stored, UNPACKED_BYTES_MAX).read_to_end(&mut text).map(|_| text)
    }

    #[test]
    fn packed_files_read_as_what_is_in_them_and_are_hashed_as_they_are() {
        let doubled = [gzip(TEXT), gzip(TEXT)].concat();
        for (stored, packing) in [
            (TEXT.to_vec(), Packing::Plain),
            (gzip(TEXT), Packing::Gzip),
            (zstd(TEXT), Packing::Zstd),
            (doubled, Packing::Gzip),
            ([zstd(TEXT), zstd(TEXT)].concat(), Packing::Zstd),
        ] {
            let mut file = opened(&stored, UNPACKED_BYTES_MAX);
            assert_eq!(file.packing(), packing);
            for offset in [0, 4, 13, 2] {
                file.go_to(offset).unwrap();
                let mut text = [0; 1];
                file.read_exact(&mut text).unwrap();
                assert_eq!(text[0], TEXT[offset as usize], "{packing} at {offset}");
            }
            let sha256: String = Sha256::digest(&stored).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(file.digest().unwrap(), Digested { sha256, bytes: stored.len() as u64 });
        }
    }

    #[test]
    fn packed_data_that_is_cut_short_or_followed_by_something_else_is_an_error() {
        for stored in [gzip(TEXT), zstd(TEXT)] {
            for length in 4..stored.len() {
                let error = read(&stored[..length]).unwrap_err().to_string();
                assert!(error.contains("ends early or is damaged"), "{length}: {error}");
            }
            let error = read(&[&stored, b"id,name\n".as_slice()].concat()).unwrap_err().to_string();
            assert!(error.contains("make or copy the file again"), "{error}");
        }
    }

    #[test]
    fn what_unpacks_to_more_than_the_limit_is_refused_and_never_cut() {
        let bomb = vec![b'x'; 4 << 20];
        for stored in [gzip(&bomb), zstd(&bomb)] {
            assert!(stored.len() < 16 << 10);
            let error = io::copy(&mut opened(&stored, 1 << 20), &mut io::sink()).unwrap_err().to_string();
            assert!(error.contains("unpacks to more than 1048576 bytes"), "{error}");
            assert_eq!(io::copy(&mut opened(&stored, 4 << 20), &mut io::sink()).unwrap(), 4 << 20);
        }
    }
}
