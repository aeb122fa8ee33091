//! Text that grows by the bytes of tokens: valid UTF-8 at any time, and cut at stop texts.

/// The text so far. A character may span tokens: its bytes stay back until it is whole.
#[derive(Debug, Default)]
pub(crate) struct GrowingText {
    text: String,
    /// The beginning of a character.
    tail: Vec<u8>,
}

impl GrowingText {
    /// Appends a token's bytes. Bytes that can be no text become U+FFFD.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        let mut rest = 0;
        loop {
            match std::str::from_utf8(&self.tail[rest..]) {
                Ok(valid) => {
                    self.text.push_str(valid);
                    return self.tail.clear();
                }
                Err(error) => {
                    let valid = rest + error.valid_up_to();
                    self.text.push_str(&String::from_utf8_lossy(&self.tail[rest..valid]));
                    let Some(bad) = error.error_len() else {
                        self.tail.drain(..valid);
                        return;
                    };
                    self.text.push(char::REPLACEMENT_CHARACTER);
                    rest = valid + bad;
                }
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Cuts the text at the first stop text that ends after byte `known`, and says whether there was one.
    pub(crate) fn cut_at(&mut self, stops: &[String], known: usize) -> bool {
        let stops = stops.iter().filter(|stop| !stop.is_empty());
        let first = stops.filter_map(|stop| self.find_from(stop, known.saturating_sub(stop.len()))).min();
        if let Some(position) = first {
            self.text.truncate(position);
        }
        first.is_some()
    }

    /// The whole characters; the beginning of another is dropped.
    pub(crate) fn into_string(self) -> String {
        self.text
    }

    fn find_from(&self, stop: &str, from: usize) -> Option<usize> {
        let from = self.text.floor_char_boundary(from);
        self.text[from..].find(stop).map(|position| from + position)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_character_that_spans_tokens_appears_when_it_is_whole() {
        let mut text = GrowingText::default();
        text.push(b"caf\xc3");
        assert_eq!(text.as_str(), "caf");
        text.push(b"\xa9 \xf0\x9f");
        assert_eq!(text.as_str(), "café ");
        text.push(b"\x8f\x95");
        assert_eq!(text.into_string(), "café 🏕");
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_what_follows() {
        let mut text = GrowingText::default();
        text.push(b"a\xff\xc3b");
        assert_eq!(text.as_str(), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn a_stop_text_that_spans_tokens_is_cut_with_what_follows() {
        let mut text = GrowingText::default();
        let stops = ["<end>".to_owned(), "\n\n".to_owned()];
        text.push("Grüße <e".as_bytes());
        assert!(!text.cut_at(&stops, 0));
        let known = text.as_str().len();
        text.push(b"nd> more\n\n");
        assert!(text.cut_at(&stops, known));
        assert_eq!(text.as_str(), "Grüße ");
    }

    proptest! {
        #[test]
        fn any_split_of_a_text_gives_the_text(text in "\\PC{0,40}", cuts in prop::collection::vec(0_usize..100, 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut * bytes.len() / 100).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut grown = GrowingText::default();
            for pair in cuts.windows(2) {
                grown.push(&bytes[pair[0]..pair[1]]);
            }
            prop_assert_eq!(grown.into_string(), text);
        }
    }
}
