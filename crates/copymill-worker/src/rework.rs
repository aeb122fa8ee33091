//! Trying rejected messages again: what was taken stays as it is, line by line.

use anyhow::Context;
use copymill_campaign::{
    ChunkResult, InputRow, LineReader, Outcome, OutputLine, Reason, SegmentLine, TokenUse,
};
use copymill_store::Store;
use copymill_suppression::CampaignList;
use futures::{StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::{
    chunk::{Chunk, ROWS_AT_ONCE, Storing},
    merge::merge_row,
    output::{OutputObject, message_line, segment_line},
    settle::{Generator, Settled, Subject},
};

/// What lines of an object are tried again with.
pub(crate) struct Rework<'a> {
    /// The chunk; its job names the object.
    pub(crate) chunk: &'a Chunk,
    /// The model.
    pub(crate) generator: &'a Generator,
    /// A permit for each message that may be under way.
    pub(crate) room: &'a Semaphore,
}

/// A message after its line was looked at.
struct Tried<'a> {
    /// Its row, where it was tried again; none where it stays as it was.
    row: Option<&'a InputRow>,
    line: OutputLine,
    /// What is new; a line that stays has its own.
    rendered: Option<String>,
}

impl Rework<'_> {
    /// Writes the chunk's messages anew, with another outcome for those that were rejected and pass now.
    pub(crate) async fn messages(
        &self,
        storing: &Storing,
        key: &str,
    ) -> anyhow::Result<(Vec<u8>, ChunkResult)> {
        let (first, end) = self.chunk.header.rows;
        let is_meant = |line: &OutputLine| (first..end).contains(&line.row);
        let lines = read(storing.store.as_ref(), key, is_meant).await?;
        let trying = lines.into_iter().map(|line| self.message(line));
        let tried: Vec<Tried<'_>> =
            futures::stream::iter(trying).buffered(ROWS_AT_ONCE).try_collect().await?;
        let list = self.chunk.newest_list(storing).await?;
        let mut output = OutputObject::new(self.chunk.header.rows);
        for tried in tried {
            let (line, rendered) = self.unless_suppressed(tried, list.as_ref());
            output.message(&line, rendered.as_deref());
        }
        Ok(output.finish())
    }

    /// A message as it is written: one that was tried again goes to nobody who is on the list by now.
    fn unless_suppressed(
        &self,
        tried: Tried<'_>,
        list: Option<&CampaignList>,
    ) -> (OutputLine, Option<String>) {
        let Tried { row, mut line, rendered } = tried;
        let (Some(row), Some(list)) = (row, list) else { return (line, rendered) };
        if row.status.is_ready() && list.holds(&row.values) {
            let suppressed = Settled::without_attempt(Outcome::Suppressed, list.reason());
            let settled = Settled { tokens: line.tokens, ..suppressed };
            let accepted = &self.chunk.campaign.accepted;
            line = message_line(accepted, row, line.variant, &settled, &line.generated_at);
        }
        line.suppression = Some(list.list.version().to_owned());
        let rendered = rendered.filter(|_| line.outcome != Outcome::Suppressed);
        (line, rendered)
    }

    /// Writes the copy of the chunk's segments anew.
    pub(crate) async fn segments(
        &self,
        storing: &Storing,
        key: &str,
    ) -> anyhow::Result<(Vec<u8>, ChunkResult)> {
        let content = &self.chunk.campaign.content;
        let rows: std::collections::HashMap<String, &InputRow> =
            self.chunk.rows.iter().map(|row| (content.segment_key_of(&row.values), row)).collect();
        let lines =
            read::<SegmentLine>(storing.store.as_ref(), key, |line| rows.contains_key(&line.segment)).await?;
        let mut output = OutputObject::new(self.chunk.header.rows);
        let trying = lines.into_iter().map(|line| self.segment(rows[&line.segment], line));
        let mut tried = futures::stream::iter(trying).buffered(ROWS_AT_ONCE);
        while let Some(line) = tried.try_next().await? {
            output.segment(&line);
        }
        drop(tried);
        Ok(output.finish())
    }

    async fn message(&self, line: OutputLine) -> anyhow::Result<Tried<'_>> {
        if line.outcome != Outcome::Rejected {
            return Ok(Tried { row: None, line, rendered: None });
        }
        let (chunk, campaign) = (self.chunk, &self.chunk.campaign);
        let row = chunk.rows.iter().find(|row| row.row == line.row);
        let row = row.with_context(|| format!("row {} is missing in the input", line.row))?;
        if chunk.merges() {
            let copies = campaign.fetched_segments().context("the copy of the segments is not at hand")?;
            let segment = campaign.content.segment_key(&row.values);
            let (line, rendered) = merge_row(campaign, copies.get(&segment), row, line.variant, &segment);
            return Ok(Tried { row: Some(row), line, rendered });
        }
        let (variant, before) = (line.variant, before(&line.reasons, &line.finish_reason, line.tokens));
        let before =
            Settled { attempt: line.attempt, seed: line.seed, prompt_sha256: line.prompt_sha256, ..before };
        let subject = Subject {
            seed_key: row.row.to_string(),
            prompt_values: campaign.content.prompt_values(&row.values),
            row: Some(&row.values),
        };
        let settled = self.settle(row, &subject, variant, before).await?;
        let now = jiff::Timestamp::now().to_string();
        let line = message_line(&campaign.accepted, row, variant, &settled, &now);
        Ok(Tried { row: Some(row), line, rendered: settled.rendered })
    }

    async fn segment(&self, row: &InputRow, line: SegmentLine) -> anyhow::Result<SegmentLine> {
        if line.outcome != Outcome::Rejected {
            return Ok(line);
        }
        let (variant, finish) = (line.variant, Some(line.finish_reason));
        let before = Settled {
            attempt: line.attempt,
            seed: Some(line.seed),
            prompt_sha256: Some(line.prompt_sha256),
            ..before(&line.reasons, &finish, line.tokens)
        };
        let prompt_values = row.values.iter().map(String::as_str).collect();
        let subject = Subject { seed_key: line.segment.clone(), prompt_values, row: None };
        let settled = self.settle(row, &subject, variant, before).await?;
        Ok(segment_line(line.segment, variant, settled, &jiff::Timestamp::now().to_string()))
    }

    async fn settle(
        &self,
        row: &InputRow,
        subject: &Subject<'_>,
        variant: u32,
        before: Settled,
    ) -> anyhow::Result<Settled> {
        // A row that is given up since.
        if let Some(settled) = Settled::by_planning(&row.status) {
            return Ok(settled);
        }
        let _permit = self.room.acquire().await?;
        Ok(self.generator.settle_again(&self.chunk.rules(), subject, variant, before).await?)
    }
}

/// How a message ended before, as far as its line says in the same words.
fn before(reasons: &[Reason], finish_reason: &Option<String>, tokens: TokenUse) -> Settled {
    const WORDS: [&str; 5] = ["stop", "length", "context", "check", "failed"];
    Settled {
        copy: None,
        rendered: None,
        outcome: Outcome::Rejected,
        reasons: reasons.to_vec(),
        attempt: 0,
        seed: None,
        finish_reason: WORDS.into_iter().find(|word| Some(*word) == finish_reason.as_deref()),
        tokens,
        prompt_sha256: None,
    }
}

async fn read<T: DeserializeOwned>(
    store: &dyn Store,
    key: &str,
    is_meant: impl Fn(&T) -> bool,
) -> anyhow::Result<Vec<T>> {
    let object = store.get(key).await?.with_context(|| format!("{key} is missing"))?;
    let lines = LineReader::<T>::new(&object.body).and_then(Iterator::collect::<Result<Vec<T>, _>>);
    let mut lines = lines.with_context(|| format!("{key} is damaged"))?;
    lines.retain(is_meant);
    Ok(lines)
}
