//! Figures about the copy, accumulated one message at a time in bounded memory.

use std::collections::{BTreeMap, HashMap};

use copymill_campaign::{Accepted, LineWriter, Outcome, Reason};

use super::copy_text::{Content, fields, fill, fingerprint, mask, texts};
use super::distinct::Distinct;

/// Lengths are counted one by one up to here; longer texts count as this long.
const LENGTH_MAX: usize = 4_000;
/// Different openings that are counted; new ones beyond are left out, as they are rare by then.
const OPENINGS_MAX: usize = 50_000;
/// Words of an opening.
const OPENING_WORDS: usize = 3;
/// Text whose compression is measured: enough for a steady ratio.
const COMPRESSED_BYTES_MAX: usize = 4 << 20;
/// Codes that an example is kept of.
const EXAMPLES_MAX: usize = 100;

/// Figures about the copy that was read.
pub(super) struct Figures {
    campaign: Accepted,
    /// One per field of the kind that has a limit.
    pub(super) lengths: Vec<Lengths>,
    /// Openings of the field that readers see first, and of the longest one where that is another.
    pub(super) openings: Vec<Openings>,
    /// Copies that passed.
    pub(super) copies: u64,
    /// Distinct among them, merge fields aside.
    pub(super) distinct: Distinct,
    /// Lines by the attempts they took.
    pub(super) attempts: BTreeMap<u32, u64>,
    /// Of those with one attempt, the ones that did not pass.
    pub(super) failed_first: u64,
    /// A message of each code, for codes without a sentence.
    pub(super) examples: BTreeMap<String, String>,
    text_bytes: usize,
    compressor: LineWriter,
}

/// How long a field's texts are.
pub(super) struct Lengths {
    /// The field.
    pub(super) field: String,
    /// Its limit in characters.
    pub(super) limit: u64,
    /// Texts by their number of characters.
    pub(super) counts: Vec<u64>,
}

/// How a field's texts begin.
pub(super) struct Openings {
    /// The field.
    pub(super) field: String,
    /// Texts by their first words.
    pub(super) counts: HashMap<String, u64>,
    /// Texts, including those whose opening is not counted.
    pub(super) total: u64,
}

impl Figures {
    /// Starts without any message.
    pub(super) fn new(campaign: &Accepted) -> Self {
        let fields = fields(campaign);
        let first = fields.first().map(|(name, _)| name);
        let longest = fields.iter().rev().max_by_key(|(_, limit)| *limit).map(|(name, _)| name);
        let mut opening: Vec<&String> = first.into_iter().chain(longest).collect();
        opening.dedup();
        let openings = opening.into_iter().map(|field| Openings {
            field: field.clone(),
            counts: HashMap::new(),
            total: 0,
        });
        Self {
            openings: openings.collect(),
            lengths: fields
                .iter()
                .filter(|(_, limit)| *limit > 0)
                .map(|(field, limit)| Lengths { field: field.clone(), limit: *limit, counts: Vec::new() })
                .collect(),
            campaign: campaign.clone(),
            copies: 0,
            distinct: Distinct::default(),
            attempts: BTreeMap::new(),
            failed_first: 0,
            examples: BTreeMap::new(),
            text_bytes: 0,
            compressor: LineWriter::new(),
        }
    }

    /// Adds how a message or a segment's copy ended.
    pub(super) fn ended(&mut self, outcome: Outcome, attempt: u32, reasons: &[Reason]) {
        if attempt > 0 {
            *self.attempts.entry(attempt).or_default() += 1;
        }
        if attempt == 1 && outcome != Outcome::Generated {
            self.failed_first += 1;
        }
        for reason in reasons {
            if self.examples.len() < EXAMPLES_MAX && !self.examples.contains_key(&reason.code) {
                self.examples.insert(reason.code.clone(), reason.message.clone());
            }
        }
    }

    /// Adds the text of one; only what the model wrote says something about it.
    pub(super) fn copy(&mut self, outcome: Outcome, content: &Content) {
        if outcome != Outcome::Generated {
            return;
        }
        self.copies += 1;
        for lengths in &mut self.lengths {
            for text in content.get(&lengths.field).map(texts).unwrap_or_default() {
                let length = fill(&self.campaign.file, text).chars().count().min(LENGTH_MAX);
                if lengths.counts.len() <= length {
                    lengths.counts.resize(length + 1, 0);
                }
                lengths.counts[length] += 1;
            }
        }
        for openings in &mut self.openings {
            if let Some(text) = content.get(&openings.field).map(texts).unwrap_or_default().first() {
                openings.add(text);
            }
        }
        let text = fingerprint(content);
        if self.text_bytes < COMPRESSED_BYTES_MAX {
            self.text_bytes += text.len();
            self.compressor.push_json(&[text.as_bytes()]);
        }
        self.distinct.add(&text);
    }

    /// Ends the pass and returns how many times smaller the copy becomes when compressed.
    pub(super) fn compression(&mut self) -> f64 {
        let object = std::mem::take(&mut self.compressor).finish();
        self.text_bytes as f64 / object.len().max(1) as f64
    }
}

impl Openings {
    fn add(&mut self, text: &str) {
        self.total += 1;
        let words: Vec<_> = text.split_whitespace().take(OPENING_WORDS).collect();
        let opening = mask(&words.join(" "));
        if self.counts.len() < OPENINGS_MAX || self.counts.contains_key(&opening) {
            *self.counts.entry(opening).or_default() += 1;
        }
    }

    /// The most frequent openings, most frequent first.
    pub(super) fn top(&self, n: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.counts.iter().map(|(opening, count)| (opening.as_str(), *count)).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(n);
        all
    }
}

impl Lengths {
    /// The median and the longest length; none without texts.
    pub(super) fn median_and_longest(&self) -> Option<(u64, u64)> {
        let total: u64 = self.counts.iter().sum();
        let longest = self.counts.iter().rposition(|count| *count > 0)?;
        let mut seen = 0;
        let median = self.counts.iter().position(|count| {
            seen += count;
            2 * seen >= total
        })?;
        Some((median as u64, longest as u64))
    }
}
