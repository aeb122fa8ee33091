//! `copymill validate`: everything that is wrong with a campaign, or what will happen.

use std::path::PathBuf;

use clap::Args;
use copymill_scheduler::{Prepared, prepare};
use copymill_tokenizer::TokenCount;

use crate::{
    commands::cluster::places,
    exit::Exit,
    output::{self, GOOD, item},
    settings::Settings,
};

/// Name everything that is wrong with a campaign, all at once
///
/// Reads the campaign file and everything that it names: the audience, the kind, the prompt, the model's header. Each
/// problem has its file, line, column and key, and the near miss where there is one. Where nothing is wrong, it says
/// what a run would do, how many tokens the first prompt has (estimated where only the loaded model can count them), and
/// in how many rows a merge field without a default is empty, which is a problem where `audience.merge` lists it.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill validate campaign.yaml")]
pub(crate) struct Validate {
    /// The campaign file
    campaign: PathBuf,
}

/// Width of the names on the left.
const NAMES: usize = 10;

impl Validate {
    pub(crate) async fn execute(self, settings: &Settings) -> anyhow::Result<Exit> {
        let prepared = prepare(&self.campaign, &places(settings)?).await?;
        output::line(format_args!("{GOOD}{} is in order{GOOD:#}", self.campaign.display()));
        for (name, text) in lines(&prepared) {
            output::line(item(name, NAMES, text));
        }
        prepared.warnings().iter().for_each(output::warn);
        Ok(Exit::Done)
    }
}

fn lines(prepared: &Prepared) -> Vec<(&'static str, String)> {
    let (checked, file) = (&prepared.checked, &prepared.accepted.file);
    let shown = if prepared.accepted.segmented { &file.audience.segment_by } else { &file.audience.fields };
    let mut lines = vec![
        (
            "audience",
            format!("{}, {}", output::counted(prepared.source.records, "recipient"), checked.detected),
        ),
        ("columns", checked.columns.join(", ")),
        ("prompt", format!("shows {}", names(shown))),
        ("merge", names(&file.merge_fields(&checked.columns))),
        ("suppressed", suppression_line(prepared)),
        ("model", model_line(prepared)),
        ("messages", messages_line(prepared)),
        ("output", checked.output(None).display().to_string()),
    ];
    if let Some(TokenCount { tokens, estimated }) = prepared.first_prompt {
        let tokens = if estimated { format!("about {tokens} (estimated)") } else { tokens.to_string() };
        let answer = file.sampling.max_tokens;
        lines.insert(6, ("tokens", format!("{tokens} in the first prompt, at most {answer} in an answer")));
    }
    lines
}

fn model_line(prepared: &Prepared) -> String {
    let gguf = &prepared.checked.model.gguf;
    let context = gguf.context_length().map_or_else(|| "unknown".into(), output::count);
    format!(
        "{} ({}, {}, context {context})",
        prepared.accepted.file.models(),
        gguf.architecture(),
        gguf.quantisation()
    )
}

fn suppression_line(prepared: &Prepared) -> String {
    match (&prepared.accepted.file.suppression, &prepared.checked.suppression) {
        (Some(wanted), Some((_, list))) => {
            let entries = output::count(list.entries());
            format!(
                "who is on {} ({entries} {}, version {})",
                wanted.list,
                wanted.by.as_str(),
                list.version()
            )
        }
        _ => "nobody: the campaign has no suppression list".into(),
    }
}

fn messages_line(prepared: &Prepared) -> String {
    let file = &prepared.accepted.file;
    let total = output::count(prepared.messages());
    let how = match prepared.segments() {
        Some(segments) => format!("merged from the copy of {}", output::counted(segments, "segment")),
        None if prepared.has_too_many_segments() => {
            "generated one by one: segment_by gives too many segments".into()
        }
        None => "generated one by one".into(),
    };
    format!(
        "{total} of kind {} ({} each), {how}",
        file.kind,
        output::counted(u64::from(file.variants), "variant")
    )
}

fn names(names: &[String]) -> String {
    if names.is_empty() { "nothing of the recipient".into() } else { names.join(", ") }
}
