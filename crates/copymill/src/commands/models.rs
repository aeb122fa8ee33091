//! `copymill models`: what a model file is, and whether it will work.

use std::path::Path;

use clap::Args;
use copymill_campaign::jobs_queue;
use copymill_model::ModelHeader;
use copymill_scheduler::locate;
use copymill_tokenizer::ChatTemplate;

use crate::{
    commands::cluster::places,
    exit::Exit,
    output::{self, STRONG, item},
    settings::Settings,
};

/// Say what a model file is, and whether it will work
///
/// Reads the header of a GGUF file without loading the model: architecture, quantisation, context, chat template,
/// tokenizer. A file that was cut short is found too.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill models demo")]
pub(crate) struct Models {
    /// demo, a GGUF file, s3://bucket/key.gguf, or hf://owner/repository/file.gguf
    #[arg(default_value = "demo")]
    model: String,
    /// A LoRA adapter for it, named in the same ways
    #[arg(long, value_name = "ADAPTER")]
    adapter: Option<String>,
}

/// Width of the names on the left.
const NAMES: usize = 13;

impl Models {
    pub(crate) async fn execute(self, settings: &Settings) -> anyhow::Result<Exit> {
        let header = header_of(&self.model, self.adapter.as_deref(), settings).await?;
        let bytes = std::fs::metadata(&header.file.path).map_or(0, |metadata| metadata.len());
        output::line(format_args!("{STRONG}{}{STRONG:#}", header.gguf.name().unwrap_or(&self.model)));
        let template = ChatTemplate::from_gguf(&header.gguf);
        for (name, text) in lines(&header, &template, bytes) {
            output::line(item(name, NAMES, text));
        }
        Ok(if template.is_ok() { Exit::Done } else { Exit::Failed })
    }
}

/// Finds the model of a command line and reads its header.
pub(super) async fn header_of(
    model: &str,
    adapter: Option<&str>,
    settings: &Settings,
) -> anyhow::Result<ModelHeader> {
    let (base, places) = (Path::new(""), places(settings)?);
    let header = ModelHeader::read(locate(model, None, base, &places).await?)?;
    let Some(adapter) = adapter else { return Ok(header) };
    Ok(header.with_adapter(locate(adapter, None, base, &places).await?)?)
}

fn lines<E: std::fmt::Display>(
    header: &ModelHeader,
    template: &Result<ChatTemplate, E>,
    bytes: u64,
) -> Vec<(&'static str, String)> {
    let gguf = &header.gguf;
    let chat = match (template, gguf.chat_template()) {
        (Err(error), _) => format!("cannot be used: {error}"),
        (Ok(_), Some(_)) => "yes: prompts are put to it as a conversation".into(),
        (Ok(_), None) => "none: prompts are plain text, as for a base model".into(),
    };
    let tokenizer = match &header.tokenizer {
        Ok(_) => "built from the file".into(),
        Err(why) => format!("llama.cpp's own, which is slower: {why}"),
    };
    let context =
        gguf.context_length().map_or_else(|| "unknown".into(), |tokens| output::counted(tokens, "token"));
    let mut lines = vec![
        ("file", header.file.path.display().to_string()),
        ("size", size(bytes)),
        ("sha256", header.file.pin.sha256.clone()),
        ("queue", format!("{}, for inline jobs", jobs_queue(&header.pin))),
        ("architecture", gguf.architecture().to_owned()),
        ("quantisation", gguf.quantisation().to_owned()),
        ("context", context),
        ("vocabulary", output::counted(gguf.vocabulary_size() as u64, "token")),
        ("chat template", chat),
        ("tokenizer", tokenizer),
    ];
    if let Some(adapter) = &header.adapter {
        lines.insert(3, ("adapter", adapter.path.display().to_string()));
        lines.insert(4, ("its sha256", adapter.pin.sha256.clone()));
        lines.insert(5, ("both", format!("{}, in outputs and manifests", header.pin.sha256)));
    }
    lines
}

fn size(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes < 1024.0 { format!("{mebibytes:.1} MiB") } else { format!("{:.1} GiB", mebibytes / 1024.0) }
}
