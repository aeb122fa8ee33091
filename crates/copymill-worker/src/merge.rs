//! Merging: the copy of a row's segment, filled in for the row. No model takes part.

use copymill_campaign::{ChunkResult, InputRow, Outcome, OutputLine, Reason, TokenUse};
use copymill_suppression::CampaignList;

use crate::{
    campaigns::{LoadedCampaign, SegmentCopies, SegmentCopy},
    output::{OutputObject, message_line},
    progress::Progress,
    settle::{Settled, fill},
};

/// What the rows of a chunk are merged with.
pub struct Merging<'a> {
    /// The campaign.
    pub campaign: &'a LoadedCampaign,
    /// The copy of its segments.
    pub copies: &'a SegmentCopies,
    /// Who must not be written to.
    pub list: Option<&'a CampaignList>,
}

impl Merging<'_> {
    /// Merges all rows of a chunk. Blocks: some tens of microseconds a message.
    pub fn chunk(&self, rows: &[InputRow], span: (u64, u64), progress: &Progress) -> (Vec<u8>, ChunkResult) {
        let now = jiff::Timestamp::now().to_string();
        let mut output = OutputObject::new(span);
        for row in rows {
            let without_copy = self.without_copy(row);
            let segment = match &without_copy {
                None => self.campaign.content.segment_key(&row.values),
                Some(_) => String::new(),
            };
            for variant in 0..self.campaign.accepted.file.variants {
                let (mut line, rendered) = match &without_copy {
                    Some(settled) => {
                        (message_line(&self.campaign.accepted, row, variant, settled, &now), None)
                    }
                    None => merge_row(self.campaign, self.copies.get(&segment), row, variant, &segment),
                };
                line.suppression = self.list.map(|list| list.list.version().to_owned());
                progress.settled(line.outcome);
                progress.metrics.message(&self.campaign.accepted.file.kind, line.outcome, line.attempt);
                progress.metrics.failures(&line.reasons);
                output.message(&line, rendered.as_deref());
            }
        }
        output.finish()
    }

    /// How a row ends that gets no copy: planning said so, or the recipient is on the list by now.
    fn without_copy(&self, row: &InputRow) -> Option<Settled> {
        Settled::by_planning(&row.status).or_else(|| {
            let list = self.list.filter(|list| list.holds(&row.values))?;
            Some(Settled::without_attempt(Outcome::Suppressed, list.reason()))
        })
    }
}

pub(crate) fn merge_row(
    campaign: &LoadedCampaign,
    copies: Option<&Vec<SegmentCopy>>,
    row: &InputRow,
    variant: u32,
    segment: &str,
) -> (OutputLine, Option<String>) {
    let Some(copy) = copies.and_then(|copies| copies.get(variant as usize)) else {
        let message = "no copy of the row's segment is in the store".into();
        let reason = Reason { code: "segment_missing".into(), field: None, message, attempt: 0 };
        let settled = Settled::without_attempt(Outcome::Invalid, reason);
        return (message_line(&campaign.accepted, row, variant, &settled, ""), None);
    };
    let mut line = merged_line(campaign, row, copy, segment);
    let Some(text) = &copy.copy else { return (line, None) };
    let filled = fill(&campaign.content, (text, line.outcome), &row.values, line.attempt);
    if filled.outcome != line.outcome {
        line.outcome = filled.outcome;
        line.content = filled.copy.map(|copy| crate::output::raw(copy.content_json()));
    }
    line.reasons.extend(filled.reasons);
    (line, filled.rendered)
}

/// The line of a merged message before the row's own checks; its tokens are counted with the segment.
fn merged_line(campaign: &LoadedCampaign, row: &InputRow, copy: &SegmentCopy, segment: &str) -> OutputLine {
    let attempted = copy.line.attempt > 0;
    OutputLine {
        v: 1,
        campaign: campaign.accepted.id.clone(),
        row: row.row,
        recipient_id: row.recipient_id.clone(),
        variant: copy.line.variant,
        outcome: copy.line.outcome,
        content: copy.line.content.clone(),
        rendered: None,
        reasons: segment_reason(copy, segment).into_iter().collect(),
        attempt: copy.line.attempt,
        seed: attempted.then_some(copy.line.seed),
        finish_reason: attempted.then(|| copy.line.finish_reason.clone()),
        tokens: TokenUse::default(),
        model_sha256: campaign.accepted.model.sha256.clone(),
        prompt_sha256: attempted.then(|| copy.line.prompt_sha256.clone()),
        suppression: None,
        segment: Some(segment.to_owned()),
        generated_at: copy.line.generated_at.clone(),
    }
}

/// Why a row has no copy of its segment's model; the failed checks themselves stand in the segment's line, once.
fn segment_reason(copy: &SegmentCopy, segment: &str) -> Option<Reason> {
    (copy.line.outcome != Outcome::Generated).then(|| Reason {
        code: "segment_rejected".into(),
        field: None,
        message: format!(
            "no copy for the segment `{segment}` passed its checks; its line in segments/ says why"
        ),
        attempt: copy.line.attempt,
    })
}
