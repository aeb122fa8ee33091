use proptest::prelude::*;

use super::*;

/// Writes headers by hand, so that the reader is not tested against itself.
struct Writer(Vec<u8>);

impl Writer {
    fn header(version: u32, tensors: u64, keys: u64) -> Self {
        let mut writer = Self(b"GGUF".to_vec());
        writer.0.extend(version.to_le_bytes());
        writer.0.extend(tensors.to_le_bytes());
        writer.0.extend(keys.to_le_bytes());
        writer
    }

    fn text(mut self, text: &str) -> Self {
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text.as_bytes());
        self
    }

    fn kind(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn string(self, key: &str, value: &str) -> Self {
        self.text(key).kind(8).text(value)
    }

    fn parse(self) -> Result<Gguf, GgufError> {
        let length = self.0.len() as u64;
        Gguf::read(Path::new("model.gguf"), self.0.as_slice(), length)
    }
}

fn small_model() -> Writer {
    let mut writer = Writer::header(3, 1, 5).string("general.architecture", "gpt2");
    writer = writer.text("gpt2.context_length").kind(4).kind(1024);
    writer = writer.text("general.file_type").kind(4).kind(15);
    writer = writer.text("tokenizer.ggml.tokens").kind(9).kind(8).number(2).text("a").text("b");
    writer = writer.text("tokenizer.ggml.token_type").kind(9).kind(5).number(2).kind(1).kind(3);
    // One F32 tensor of 2 × 3.
    writer.text("output.weight").kind(2).number(2).number(3).kind(0).number(0)
}

fn with_data(mut writer: Writer, bytes: usize) -> Writer {
    writer.0.resize(writer.0.len().next_multiple_of(32) + bytes, 0);
    writer
}

#[test]
fn a_header_is_read_in_both_versions() {
    for version in [2_u32, 3] {
        let mut writer = with_data(small_model(), 24);
        writer.0[4..8].copy_from_slice(&version.to_le_bytes());
        let gguf = writer.parse().unwrap();
        assert_eq!(gguf.architecture(), "gpt2");
        assert_eq!(gguf.context_length(), Some(1024));
        assert_eq!(gguf.quantisation(), "Q4_K_M");
        assert_eq!(gguf.tokens(), ["a", "b"]);
        assert_eq!(gguf.token_types(), [1, 3]);
        assert_eq!(gguf.vocabulary_size(), 2);
        assert_eq!(gguf.chat_template(), None);
        assert!(!gguf.is_recurrent());
        assert_eq!(gguf.tensors(), [TensorInfo { name: "output.weight".into(), shape: vec![2, 3] }]);
    }
}

#[test]
fn recurrent_models_are_told_by_architecture_and_by_keys() {
    for architecture in ["mamba2", "falcon-h1", "lfm2"] {
        let gguf = Writer::header(3, 0, 1).string("general.architecture", architecture).parse().unwrap();
        assert!(gguf.is_recurrent(), "{architecture}");
    }
    let writer = Writer::header(3, 0, 2).string("general.architecture", "newest");
    assert!(writer.text("newest.ssm.conv_kernel").kind(4).kind(4).parse().unwrap().is_recurrent());
}

#[test]
fn a_missing_file_is_told_apart() {
    let error = Gguf::open("no/such/model.gguf").unwrap_err();
    assert!(matches!(error, GgufError::Missing { .. }));
    assert!(error.to_string().contains("no/such/model.gguf"));
}

#[test]
fn another_format_is_told_apart() {
    for text in
        ["<!DOCTYPE html><html>", "version https://git-lfs.github.com/spec/v1", "PK\u{3}\u{4}....", "GG__"]
    {
        let error = Writer(text.as_bytes().to_vec()).parse().unwrap_err();
        assert!(matches!(error, GgufError::NotGguf { .. }), "{text}: {error}");
    }
}

#[test]
fn old_versions_and_big_endian_files_are_told_apart() {
    for version in [1, 4, 3_u32.swap_bytes()] {
        let error = Writer::header(version, 0, 0).parse().unwrap_err();
        assert!(matches!(error, GgufError::Version { version: stated, .. } if stated == version), "{error}");
    }
}

#[test]
fn every_cut_of_a_header_is_a_truncated_header() {
    let whole = small_model().0;
    for length in 0..whole.len() {
        let error = Writer(whole[..length].to_vec()).parse().unwrap_err();
        assert!(matches!(error, GgufError::TruncatedHeader { .. }), "{length}: {error}");
    }
}

#[test]
fn missing_tensor_data_is_told_apart() {
    let error = with_data(small_model(), 23).parse().unwrap_err();
    let GgufError::TruncatedTensors { length, expected, .. } = error else { panic!("{error}") };
    assert_eq!(expected, length + 1);
}

#[test]
fn absurd_counts_are_refused_before_memory_is_taken() {
    let huge = u64::MAX;
    let hostile = [
        Writer::header(3, huge, 0),
        Writer::header(3, 0, huge),
        Writer::header(3, 0, 1).number(huge),
        Writer::header(3, 0, 1).text("k").kind(8).number(huge),
        Writer::header(3, 0, 1).text("k").kind(9).kind(8).number(huge),
        Writer::header(3, 0, 1).text("k").kind(9).kind(12).number(1 << 22).number(0),
        Writer::header(3, 0, 1).text("k").kind(9).kind(9).number(1).kind(4),
        Writer::header(3, 0, 1).text("k").kind(99),
        Writer::header(3, 0, 2).string("k", "1").string("k", "2"),
        Writer::header(3, 0, 1).text("general.alignment").kind(4).kind(7),
        Writer::header(3, 1, 0).text("t").kind(5),
        Writer::header(3, 1, 0)
            .text("t")
            .kind(4)
            .number(huge)
            .number(huge)
            .number(1)
            .number(1)
            .kind(0)
            .number(0),
        Writer::header(3, 1, 0).text("t").kind(1).number(1).kind(0).number(huge),
    ];
    for (index, writer) in hostile.into_iter().enumerate() {
        let error = writer.parse().unwrap_err();
        let is_expected = matches!(error, GgufError::Malformed { .. } | GgufError::TruncatedHeader { .. });
        // The last needs no table entry: it is checked against the file's length.
        assert!(is_expected || matches!(error, GgufError::TruncatedTensors { .. }), "{index}: {error}");
    }
}

#[test]
fn text_that_is_not_utf8_does_not_refuse_the_model() {
    let mut writer = Writer::header(3, 0, 2).text("general.name").kind(8).number(1);
    writer.0.push(0xE9);
    writer = writer.text("tokenizer.ggml.tokens").kind(9).kind(8).number(1).number(1);
    writer.0.push(0xFF);
    let gguf = writer.parse().unwrap();
    assert_eq!(gguf.name(), Some("\u{FFFD}"));
    assert_eq!(gguf.vocabulary_size(), 0);
}

proptest! {
    #[test]
    fn mutated_headers_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
                                   cut in any::<prop::sample::Index>()) {
        let mut bytes = with_data(small_model(), 24).0;
        for (index, value) in changes {
            let position = index.index(bytes.len());
            bytes[position] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(gguf) = Writer(bytes).parse() {
            // Whatever was accepted can be asked for everything.
            let _ = (gguf.context_length(), gguf.is_recurrent(), gguf.quantisation());
            let _ = crate::HuggingFaceTokenizer::from_gguf(&gguf);
            let _ = crate::ChatTemplate::from_gguf(&gguf);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = Writer(bytes.clone()).parse();
        let mut with_magic = Writer::header(3, 1, 1);
        with_magic.0.extend(bytes);
        let _ = with_magic.parse();
    }
}
