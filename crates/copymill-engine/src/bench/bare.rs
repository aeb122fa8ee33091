//! The yardstick: a loop that only decodes known tokens, with no sampling, constraint, text or decision.

use std::time::{Duration, Instant};

use crate::batcher::{CacheChange, StepToken};
use crate::engine::EngineError;
use crate::llama::{LlamaSettings, with_decoder};
use crate::serving::Decoder;

/// Token sequences to replay.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// What all rows begin with; computed once.
    pub shared: Vec<u32>,
    /// What follows, per row.
    pub rows: Vec<ReplayRow>,
}

/// One row's tokens.
#[derive(Debug, Clone, Default)]
pub struct ReplayRow {
    /// The rest of the prompt; at least one token, computed in one go.
    pub own: Vec<u32>,
    /// The output, computed one token per step.
    pub generated: Vec<u32>,
}

/// A row in a slot and the position of its next token within own part and output.
struct Slot<'a> {
    row: &'a ReplayRow,
    next: usize,
}

/// Replays the rows in the settings' slots and returns how long it took; loading is not counted.
pub fn replay(settings: &LlamaSettings, replay: &Replay) -> Result<Duration, EngineError> {
    // The loop always shares its prefix, which takes a sequence beside the slots.
    let settings = LlamaSettings { share_prefixes: true, held_prefixes: 1, ..settings.clone() };
    with_decoder(&settings, |decoder, slots, batch| {
        let started = Instant::now();
        run(decoder, replay, slots, batch).map(|()| started.elapsed())
    })?
}

fn run(decoder: &mut dyn Decoder, replay: &Replay, slots: u32, batch: usize) -> Result<(), EngineError> {
    prefill(decoder, &replay.shared, slots, batch)?;
    let mut rows = replay.rows.iter().peekable();
    let mut running: Vec<Option<Slot<'_>>> = (0..slots).map(|_| None).collect();
    loop {
        let mut tokens = Vec::with_capacity(batch);
        for (sequence, slot) in (0..).zip(&mut running) {
            if slot.is_none() {
                // Every slot after this one may need room for a token.
                let room = batch - tokens.len() - (slots - sequence - 1) as usize;
                let Some(row) = rows.next_if(|row| row.own.len() <= room) else { continue };
                decoder.change(CacheChange::Share { from: slots, to: sequence, length: replay.shared.len() });
                *slot = Some(Slot { row, next: 0 });
            }
            put_next(slot, sequence, replay.shared.len(), &mut tokens);
        }
        if tokens.is_empty() {
            return rows.next().map_or(Ok(()), |row| Err(too_long(row, batch)));
        }
        decode(decoder, &tokens)?;
        wait_for_outputs(decoder, &tokens);
        for (sequence, slot) in (0..).zip(&mut running) {
            // The last token of an output is sampled and never decoded.
            if slot
                .as_ref()
                .is_some_and(|slot| slot.next + 1 >= slot.row.own.len() + slot.row.generated.len())
            {
                *slot = None;
                decoder.change(CacheChange::Keep { sequence, length: 0 });
            }
        }
    }
}

fn too_long(row: &ReplayRow, batch: usize) -> EngineError {
    let own = row.own.len();
    EngineError::Device(format!(
        "the bare loop computes a row's own {own} tokens in one go, beside a token for each other slot; a batch of {batch} \
         is too small for that"
    ))
}

fn put_next(slot: &mut Option<Slot<'_>>, sequence: u32, shared: usize, tokens: &mut Vec<StepToken>) {
    let Some(Slot { row, next }) = slot else { return };
    let end = if *next == 0 { row.own.len() } else { *next + 1 };
    while *next < end {
        let token = row.own.get(*next).unwrap_or_else(|| &row.generated[*next - row.own.len()]);
        tokens.push(StepToken {
            strand: 0,
            sequence,
            position: u32::try_from(shared + *next).unwrap_or(u32::MAX),
            token: *token,
            output: *next + 1 == end,
        });
        *next += 1;
    }
}

fn prefill(
    decoder: &mut dyn Decoder,
    shared: &[u32],
    sequence: u32,
    batch: usize,
) -> Result<(), EngineError> {
    let tokens: Vec<StepToken> = (0..)
        .zip(shared)
        .map(|(position, token)| StepToken { strand: 0, sequence, position, token: *token, output: false })
        .collect();
    tokens.chunks(batch).try_for_each(|chunk| decode(decoder, chunk))
}

/// Reads a number of every output, as whoever samples would: that waits for a device beside the CPU.
fn wait_for_outputs(decoder: &dyn Decoder, tokens: &[StepToken]) {
    for (index, _) in tokens.iter().enumerate().filter(|(_, token)| token.output) {
        std::hint::black_box(decoder.logits(index)[0]);
    }
}

fn decode(decoder: &mut dyn Decoder, tokens: &[StepToken]) -> Result<(), EngineError> {
    decoder
        .decode(tokens)
        .map_err(|error| EngineError::Device(format!("the bare loop cannot decode: {error:?}")))
}
