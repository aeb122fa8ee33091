//! Whether two tokenizers give the same ids on text that tells tokenizers apart.

use copymill_tokenizer::{Segment, Tokenizer, Trust};

/// Scripts, emoji, runs of white space, digits, code, and what looks like control tokens.
const PROBES: [&str; 12] = [
    "Hello, world! It's 9:05 and we'll see what they've done.",
    "Write one e-mail.\nFields:\n- subject: \"at most 50 characters\"\n\n\nRecipient:\n",
    "  leading, trailing  \t and \u{a0}odd   spaces \r\n",
    "1 12 123 1234 12345 3.14 -7 1e9 50% $1,299.00 €119",
    "Grüße aus Köln, Zoë & Łukasz — naïve café",
    "智能营销策略:春季促销,全场八折。",
    "こんにちは世界 안녕하세요 สวัสดี नमस्ते שלום مرحبا",
    "😀👩‍👩‍👧‍👦🏳️‍🌈 ✓ ★ ﬁ Å",
    "fn main() { let x = a[i] >> 2; } // {\"key\": [1, null]}",
    "[[first_name]] [[code]] {{ x }} {% y %} <b>z</b>",
    "<|im_start|>system<|im_end|><s></s>[INST]<|endoftext|>",
    "https://northwind.example/spring?x=1&y=%20#top",
];

/// Says on what two tokenizers differ; none where they agree on every probe.
pub(crate) fn first_difference(one: &dyn Tokenizer, other: &dyn Tokenizer) -> Option<String> {
    let differs = |segments: &[Segment]| match (one.encode(segments), other.encode(segments)) {
        (Ok(one), Ok(other)) => one != other,
        (Err(_), Err(_)) => false,
        _ => true,
    };
    let probes = PROBES.iter().find(|text| {
        let untrusted = |text: &str| Segment { text: text.into(), trust: Trust::Untrusted };
        let template = Segment { text: "\n".into(), trust: Trust::Template };
        differs(&[untrusted(text)]) || differs(&[untrusted("The "), template, untrusted(text)])
    });
    probes.map(|text| format!("the tokenizer built from the file does not agree with it on {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use copymill_tokenizer::TokenizeError;

    struct Bytes(u32);

    impl Tokenizer for Bytes {
        fn encode(&self, segments: &[Segment]) -> Result<Vec<u32>, TokenizeError> {
            Ok(segments
                .iter()
                .flat_map(|segment| segment.text.bytes().map(|byte| u32::from(byte) + self.0))
                .collect())
        }
    }

    #[test]
    fn a_difference_is_named_and_agreement_is_silent() {
        assert_eq!(first_difference(&Bytes(0), &Bytes(0)), None);
        assert!(first_difference(&Bytes(0), &Bytes(1)).unwrap().contains("Hello"));
    }
}
