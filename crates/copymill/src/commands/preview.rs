//! `copymill preview`: a few messages in the terminal, nothing written.

mod show;

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use copymill_campaign::Outcome;
use copymill_engine::Constraint;
use copymill_scheduler::{Prepared, audience::Record, prepare};
use copymill_worker::{Generator, Progress, Rules, Settled, Subject, fill_in};
use futures::{StreamExt, TryStreamExt};

use crate::{
    commands::cluster::places,
    engine_options::{EngineOptions, load},
    exit::{Exit, usage},
    output,
    settings::Settings,
};

/// Rows that are generated at once.
const ROWS_AT_ONCE: usize = 32;

/// Show the messages of a few recipients, and write nothing
///
/// Generates, checks and renders as a run does, with the same seeds, and shows subject, text, outcome and every failed
/// check. Use it to work on brief, prompt and checks.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill preview examples/spring-sale/campaign.yaml -n 3")]
pub(crate) struct Preview {
    /// The campaign file
    campaign: PathBuf,
    /// Recipients to show
    #[arg(short, long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    n: u16,
    /// The first of them: 0 is the first recipient of the audience
    #[arg(long, value_name = "ROW", default_value_t = 0)]
    row: u64,
    #[command(flatten)]
    engine: EngineOptions,
}

impl Preview {
    pub(crate) async fn execute(self, settings: &Settings) -> anyhow::Result<Exit> {
        let prepared = prepare(&self.campaign, &places(settings)?).await?;
        if self.row >= prepared.source.records {
            let rows = output::counted(prepared.source.records, "recipient");
            return Err(usage(format!(
                "there is no row {}: the audience has {rows}, counted from 0",
                self.row
            )));
        }
        let records = prepared.records(self.row, usize::from(self.n))?;
        let model = load(&prepared.checked.model, &self.engine).await?;
        prepared.check_fit(&model.encoder, u64::from(model.engine.info().context_tokens))?;
        let progress = Arc::new(Progress::default());
        let generator = Generator { engine: model.engine, encoder: model.encoder, progress };
        let constraint = Arc::new(Constraint::json_schema(prepared.content.schema().clone()));
        let rules =
            Rules { campaign: &prepared.accepted, content: &prepared.content, constraint: &constraint };
        let (mut shown, mut generated) = (0, 0);
        let mut settled = futures::stream::iter(records)
            .map(|record| settle(&prepared, &generator, &rules, record))
            .buffered(ROWS_AT_ONCE);
        while let Some((record, variants)) = settled.try_next().await? {
            show::record(&prepared, &record, &variants);
            shown += variants.len();
            generated += variants.iter().filter(|settled| settled.outcome == Outcome::Generated).count();
        }
        let messages = output::counted(shown as u64, "message");
        output::line(format_args!("{generated} of {messages} passed every check; nothing was written"));
        Ok(if generated == 0 { Exit::Failed } else { Exit::Done })
    }
}

/// Settles a record as a worker would.
async fn settle(
    prepared: &Prepared,
    generator: &Generator,
    rules: &Rules<'_>,
    record: Record,
) -> anyhow::Result<(Record, Vec<Settled>)> {
    let Ok(values) = &record.values else { return Ok((record, Vec::new())) };
    if let Some(list) = prepared.source.suppression.as_ref().filter(|list| list.holds(values)) {
        let suppressed = |_| Settled::without_attempt(Outcome::Suppressed, list.reason());
        return Ok((record, (0..prepared.accepted.file.variants).map(suppressed).collect()));
    }
    let settled = if prepared.accepted.segmented {
        let segment = prepared.segment_of(values);
        let prompt_values = segment.iter().map(String::as_str).collect();
        let seed_key = prepared.content.segment_key(values);
        let mut settled = generator.settle(rules, &Subject { seed_key, prompt_values, row: None }).await?;
        settled.iter_mut().for_each(|settled| fill_in(&prepared.content, values, settled));
        settled
    } else {
        let prompt_values = prepared.content.prompt_values(values);
        let subject = Subject { seed_key: record.ordinal.to_string(), prompt_values, row: Some(values) };
        generator.settle(rules, &subject).await?
    };
    Ok((record, settled))
}
