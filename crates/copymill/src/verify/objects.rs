//! The objects that the manifest names, one after the other: their bytes, their lines, and what lies beside them.

use std::collections::HashMap;

use bytes::Bytes;
use copymill_campaign::{
    CampaignKeys, CampaignPhase, ChunkKind, LineError, LineReader, ManifestObject, Outcome, OutcomeCounts,
    is_split, seed_for, sha256_hex,
};
use serde::de::DeserializeOwned;

use super::input::{InputRows, PlannedRow};
use super::line::{CopyLine, MessageLine, Skipped};
use super::sequence::{Sequence, Step};
use super::totals::Recount;
use super::{Check, Problems};

/// Recounts all objects of one kind.
pub(super) async fn recount(
    check: &Check<'_>,
    kind: ChunkKind,
    problems: &mut Problems,
) -> anyhow::Result<Recount> {
    let objects = match kind {
        ChunkKind::Messages => &check.manifest.objects,
        ChunkKind::Segments => &check.manifest.segments,
    };
    let mut recount = Recount::default();
    let mut input = InputRows::new(check, kind);
    let mut next_row = 0;
    for object in objects {
        check_range(check, object, next_row, problems);
        next_row = next_row.max(object.rows.1);
        let key = format!("{}{}", check.keys.root(), object.key);
        let planned = input.range(object.rows, problems).await?;
        let Some(stored) = check.store.get(&key).await? else {
            problems.note(format!("{key} is missing: rows {}", span(object.rows)));
            continue;
        };
        recount.objects += 1;
        check_bytes(object, &stored.body, problems);
        let mut reading =
            Reading { check, key: &object.key, planned: &planned, problems, recount: &mut recount, line: 0 };
        reading.read(kind, object, &stored.body);
    }
    recount.planned = input.finish(problems).await?;
    find_unnamed(check, kind, objects, problems).await?;
    Ok(recount)
}

fn check_range(check: &Check<'_>, object: &ManifestObject, next_row: u64, problems: &mut Problems) {
    let gap_is_wrong = object.rows.0 < next_row || check.manifest.state == CampaignPhase::Completed;
    if object.rows.0 != next_row && gap_is_wrong {
        problems.note(format!(
            "manifest.json: {} begins with row {}, but row {next_row} is next",
            object.key, object.rows.0
        ));
    }
    if object.rows.0 >= object.rows.1 {
        problems.note(format!("manifest.json: {} has no rows", object.key));
    }
}

fn check_bytes(object: &ManifestObject, body: &Bytes, problems: &mut Problems) {
    if body.len() as u64 != object.bytes {
        problems.note(format!(
            "{} has {} bytes, but the manifest names {}",
            object.key,
            body.len(),
            object.bytes
        ));
    } else if sha256_hex(body) != object.sha256 {
        problems.note(format!("{} was altered: its SHA-256 is not the one in the manifest", object.key));
    }
}

/// Whatever lies in the output folder and is not in the manifest is not in force, and nobody should take it for that. Where
/// a campaign ended before its time, workers may have finished what they had in hand after its manifest was written.
async fn find_unnamed(
    check: &Check<'_>,
    kind: ChunkKind,
    objects: &[ManifestObject],
    problems: &mut Problems,
) -> anyhow::Result<()> {
    let mut named: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
    named.sort_unstable();
    named.windows(2).filter(|pair| pair[0] == pair[1]).for_each(|pair| {
        problems.note(format!("manifest.json names {} twice", pair[0]));
    });
    let mut last = None::<String>;
    loop {
        let page = check.store.list(&check.keys.output_prefix(kind), last.as_deref()).await?;
        let Some(end) = page.last() else { return Ok(()) };
        for listed in &page {
            let below_root = listed.key.strip_prefix(check.keys.root()).unwrap_or(&listed.key);
            let is_in_force = named.binary_search(&below_root).is_ok();
            if is_in_force || is_replaced(&named, below_root) || is_marker(check, &listed.key).await? {
                continue;
            }
            if check.manifest.state == CampaignPhase::Completed {
                problems.note(format!("{} is not named by the manifest", listed.key));
            } else {
                problems.late += 1;
            }
        }
        last = Some(end.key.clone());
    }
}

/// Whether a later generation of the same chunk, or of parts of it, is in force.
fn is_replaced(named: &[&str], key: &str) -> bool {
    let Some(chunk) = CampaignKeys::chunk_of(key) else { return false };
    let generation = CampaignKeys::generation_of(key);
    named.iter().any(|named| {
        CampaignKeys::generation_of(named) > generation
            && CampaignKeys::chunk_of(named).is_some_and(|other| other.index == chunk.index)
    })
}

/// Whether an object only says that its chunk was split, so that the parts' objects hold its lines.
async fn is_marker(check: &Check<'_>, key: &str) -> anyhow::Result<bool> {
    Ok(check.store.get(key).await?.is_some_and(|object| is_split(&object.body)))
}

/// One object while its lines are read.
struct Reading<'a> {
    check: &'a Check<'a>,
    key: &'a str,
    planned: &'a [PlannedRow],
    problems: &'a mut Problems,
    recount: &'a mut Recount,
    line: u64,
}

impl Reading<'_> {
    fn read(&mut self, kind: ChunkKind, object: &ManifestObject, body: &[u8]) {
        let before = self.recount.outcomes;
        let mut sequence = Sequence::new(object.rows, self.check.manifest.variants);
        let read = match kind {
            ChunkKind::Messages => self.messages(body, &mut sequence),
            ChunkKind::Segments => self.segments(body, &mut sequence),
        };
        if let Err(error) = read {
            self.problems.note(format!("{}: {error}", self.key));
        }
        if let Some((from, missing)) = sequence.rest() {
            self.problems.note(format!("{}: {} at its end", self.key, without_line(from, missing)));
        }
        for outcome in Outcome::ALL {
            let counted = self.recount.outcomes.get(outcome) - before.get(outcome);
            let named = OutcomeCounts::get(&object.outcomes, outcome);
            if counted != named {
                let word = outcome.as_str();
                self.problems
                    .note(format!("{} holds {counted} {word}, but the manifest names {named}", self.key));
            }
        }
    }

    fn messages(&mut self, body: &[u8], sequence: &mut Sequence) -> Result<(), LineError> {
        let mut last_row = None;
        self.lines(body, |reading, line: MessageLine| {
            let pair = (line.row, line.variant);
            if reading.in_order(sequence, pair) {
                reading.recount.rows += u64::from(last_row.replace(line.row) != Some(line.row));
                reading.message(&line);
            }
            reading.recount.add(line.outcome, line.reasons, line.tokens);
        })
    }

    fn segments(&mut self, body: &[u8], sequence: &mut Sequence) -> Result<(), LineError> {
        let ordinals: HashMap<String, u64> =
            self.planned.iter().map(|planned| (planned.segment_key(), planned.row)).collect();
        let mut last_row = None;
        self.lines(body, |reading, line: CopyLine| {
            match ordinals.get(&line.segment) {
                None => reading.note("its segment is not one of this chunk's input"),
                Some(row) if reading.in_order(sequence, (*row, line.variant)) => {
                    reading.recount.rows += u64::from(last_row.replace(*row) != Some(*row));
                    reading.copy(&line);
                }
                Some(_) => {}
            }
            reading.recount.add(line.outcome, line.reasons, line.tokens);
        })
    }

    fn lines<T: DeserializeOwned>(
        &mut self,
        body: &[u8],
        mut take: impl FnMut(&mut Self, T),
    ) -> Result<(), LineError> {
        for line in LineReader::<T>::new(body)? {
            self.line += 1;
            take(self, line?);
        }
        Ok(())
    }

    /// Whether the line is one that may be looked at: the one that was due, or one after lines that are missing.
    fn in_order(&mut self, sequence: &mut Sequence, found: (u64, u32)) -> bool {
        let (row, variant) = found;
        match sequence.step(found) {
            Step::Due => return true,
            Step::Skipped { from, missing } => {
                self.note(&format!("{} before row {row}, variant {variant}", without_line(from, missing)));
                return true;
            }
            Step::Again => self.note(&format!("row {row}, variant {variant} is there twice or out of order")),
            Step::Foreign => {
                self.note(&format!("row {row}, variant {variant} does not belong in this object"))
            }
        }
        false
    }

    fn message(&mut self, line: &MessageLine) {
        let campaign = self.check.campaign;
        let what = format!("row {}, variant {}", line.row, line.variant);
        let mut expect = |holds: bool, problem: &str| {
            if !holds {
                self.problems.note(format!("{}, line {}: {what}: {problem}", self.key, self.line));
            }
        };
        expect(line.v == 1, "its version is not 1");
        expect(line.campaign == campaign.id.as_str(), "it is of another campaign");
        expect(line.model_sha256 == campaign.model.sha256, "it names another model");
        let has_copy = matches!(line.outcome, Outcome::Generated | Outcome::Fallback);
        expect(
            has_copy == is_filled(&line.content),
            "content must be there where it was generated, and only there",
        );
        expect(
            has_copy == is_filled(&line.rendered),
            "rendered must be there where there is content, and only there",
        );
        expect(line.outcome == Outcome::Generated || !line.reasons.is_empty(), "it does not say why");
        expect(
            line.suppression.is_some() == campaign.file.suppression.is_some(),
            "a version of the suppression list must be there where the campaign has a list, and only there",
        );
        let subject = line.segment.clone().unwrap_or_else(|| line.row.to_string());
        let seed = seed_for(campaign.file.sampling.seed, &subject, line.variant, line.attempt);
        expect(
            line.seed.is_none_or(|found| found == seed),
            "its seed is not that of its row, variant and attempt",
        );
        let at = self.planned.binary_search_by_key(&line.row, |planned| planned.row);
        let Some(planned) = at.ok().and_then(|at| self.planned.get(at)) else {
            // A chunk of input that is missing was named once already.
            return expect(self.planned.is_empty(), "input has no such row");
        };
        expect(line.recipient_id == planned.recipient_id, "its recipient is not the one of the input");
        let settled = planned.settled();
        expect(settled.is_none_or(|outcome| outcome == line.outcome), "planning settled it otherwise");
        // Who came onto the list after planning is suppressed by the worker.
        expect(
            settled.is_some() || line.outcome != Outcome::Suppressed || campaign.file.suppression.is_some(),
            "nothing in the input suppresses it, and the campaign has no suppression list",
        );
    }

    fn copy(&mut self, line: &CopyLine) {
        let has_copy = matches!(line.outcome, Outcome::Generated | Outcome::Fallback);
        let campaign_seed = self.check.campaign.file.sampling.seed;
        let seed = seed_for(campaign_seed, &line.segment, line.variant, line.attempt);
        let problems = [
            (line.v != 1, "its version is not 1"),
            (
                has_copy != is_filled(&line.content),
                "content must be there where it was generated, and only there",
            ),
            (line.outcome != Outcome::Generated && line.reasons.is_empty(), "it does not say why"),
            (
                line.attempt > 0 && line.seed != seed,
                "its seed is not that of its segment, variant and attempt",
            ),
        ];
        problems.iter().filter(|(is_wrong, _)| *is_wrong).for_each(|(_, problem)| self.note(problem));
    }

    fn note(&mut self, problem: &str) {
        self.problems.note(format!("{}, line {}: {problem}", self.key, self.line));
    }
}

fn is_filled(part: &Option<Skipped>) -> bool {
    part.as_ref().is_some_and(|part| part.keys > 0)
}

fn without_line((row, variant): (u64, u32), missing: u64) -> String {
    match missing {
        1 => format!("row {row}, variant {variant} has no line"),
        _ => format!("{missing} messages from row {row}, variant {variant} on have no line"),
    }
}

fn span((first, end): (u64, u64)) -> String {
    format!("{first} to {}", end.saturating_sub(1))
}
