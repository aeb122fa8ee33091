//! `copymill generate`: the classic generate(prompt, max_length, num_return_sequences).

use anyhow::bail;
use clap::Args;
use copymill_engine::{FinishReason, Generation, Request, Sampling};
use copymill_model::ModelHeader;
use copymill_tokenizer::{Segment, Trust};
use copymill_worker::LoadedModel;

use crate::{
    commands::models::header_of,
    engine_options::{EngineOptions, load},
    exit::{Exit, usage},
    output::{self, QUIET, STRONG},
    settings::Settings,
};

/// Continue a text, without a campaign
///
/// Gives the model a text as it is and prints what it writes next, as often as asked for. With --chat, the text is
/// put to the model as a question, through the chat template of its file. Nothing is checked.
#[derive(Args)]
#[command(
    after_help = "Example:\n  copymill generate \"Intelligent marketing strategy\" --max-tokens 50 -n 5"
)]
pub(crate) struct Generate {
    /// The text to continue
    prompt: String,
    /// The model: demo, a GGUF file, s3://bucket/key.gguf, or hf://owner/repository/file.gguf
    #[arg(short, long, default_value = "demo")]
    model: String,
    /// A LoRA adapter for it, named in the same ways
    #[arg(long, value_name = "ADAPTER")]
    adapter: Option<String>,
    /// Put the text to the model through its chat template
    #[arg(long)]
    chat: bool,
    /// Texts to write
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    n: u32,
    /// Tokens of one text at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=32_768))]
    max_tokens: u32,
    #[command(flatten)]
    sampling: SamplingOptions,
    #[command(flatten)]
    engine: EngineOptions,
}

/// How tokens are chosen.
#[derive(Args)]
#[command(next_help_heading = "Sampling")]
struct SamplingOptions {
    /// 0 takes the likeliest token always; higher is more varied
    #[arg(long, value_name = "T", default_value_t = 0.8, value_parser = number::<0, 2>)]
    temperature: f32,
    /// Keep the K likeliest tokens; 0 keeps all
    #[arg(long, value_name = "K", default_value_t = 40)]
    top_k: u32,
    /// Keep the likeliest tokens that together reach this probability
    #[arg(long, value_name = "P", default_value_t = 0.95, value_parser = number::<0, 1>)]
    top_p: f32,
    /// Drop tokens that are less likely than this share of the likeliest
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = number::<0, 1>)]
    min_p: f32,
    /// Divide the score of tokens that were written already; 1 does nothing
    #[arg(long, value_name = "X", default_value_t = 1.1, value_parser = number::<1, 2>)]
    repetition_penalty: f32,
    /// Seed of the first text; the second has the next one. Another one every time, if not given
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Take the likeliest token always
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p", "min_p"])]
    greedy: bool,
    /// Text that ends an answer; may be given several times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
}

impl Generate {
    pub(crate) async fn execute(self, settings: &Settings) -> anyhow::Result<Exit> {
        if self.prompt.is_empty() {
            return Err(usage("the prompt is empty; give a text to continue"));
        }
        let header = header_of(&self.model, self.adapter.as_deref(), settings).await?;
        let model = load(&header, &self.engine).await?;
        let request = self.request(&header, &model)?;
        let context = u64::from(model.engine.info().context_tokens);
        let tokens = request.prompt.len() as u64;
        if tokens >= context {
            return Err(usage(format!(
                "the prompt has {tokens} tokens and the model takes {context} with its answer; shorten it"
            )));
        }
        let generations = model.engine.generate(request).await?;
        for (number, generation) in (1..).zip(&generations) {
            self.print(number, generation);
        }
        if generations.iter().all(|generation| matches!(generation.finish, FinishReason::Failed(_))) {
            bail!("the engine could not write any of the texts");
        }
        Ok(Exit::Done)
    }

    fn request(&self, header: &ModelHeader, model: &LoadedModel) -> anyhow::Result<Request> {
        let prompt = if self.chat {
            model.encoder.encode("", &self.prompt)?
        } else {
            model.tokenizer.encode(&[Segment { text: self.prompt.clone(), trust: Trust::Untrusted }])?
        };
        if self.chat && header.gguf.chat_template().is_none() {
            output::warn(format_args!("{} has no chat template; the text is put to it as it is", self.model));
        }
        let options = &self.sampling;
        let first_seed = options.seed.unwrap_or_else(|| {
            std::process::id() ^ jiff::Timestamp::now().subsec_nanosecond().cast_unsigned()
        });
        Ok(Request {
            prompt,
            seeds: (0..self.n).map(|offset| first_seed.wrapping_add(offset)).collect(),
            max_tokens: self.max_tokens,
            sampling: Sampling {
                temperature: if options.greedy { 0.0 } else { options.temperature },
                top_k: options.top_k,
                top_p: options.top_p,
                min_p: options.min_p,
                repetition_penalty: options.repetition_penalty,
                ..Sampling::default()
            },
            constraint: None,
            stop: options.stop.clone(),
            watch: None,
        })
    }

    fn print(&self, number: u32, generation: &Generation) {
        let ended = match &generation.finish {
            FinishReason::Stop => "ended by itself".to_owned(),
            FinishReason::Length => "--max-tokens reached".to_owned(),
            FinishReason::Context => "the model's context is full".to_owned(),
            FinishReason::Watch => "ended by a check".to_owned(),
            FinishReason::Failed(why) => format!("failed: {why}"),
        };
        let tokens = output::counted(u64::from(generation.tokens.generated), "token");
        if self.n > 1 {
            output::line(format_args!(
                "{STRONG}[{number}]{STRONG:#} {QUIET}seed {}, {tokens}, {ended}{QUIET:#}",
                generation.seed
            ));
        }
        let text = if self.chat {
            generation.text.trim().to_owned()
        } else {
            format!("{}{}", self.prompt, generation.text)
        };
        output::line(text);
        if self.n > 1 {
            output::line("");
        }
    }
}

/// Reads a number between two bounds.
fn number<const FROM: u8, const TO: u8>(text: &str) -> Result<f32, String> {
    let number: f32 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (f32::from(FROM)..=f32::from(TO)).contains(&number) {
        Ok(number)
    } else {
        Err(format!("it must be from {FROM} to {TO}"))
    }
}
