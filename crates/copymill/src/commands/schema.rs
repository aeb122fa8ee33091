//! `copymill schema`: JSON Schemas for editors and programs.

use clap::{Args, Subcommand};
use copymill_campaign::{campaign_schema, inline_job_schema};

use crate::{exit::Exit, output};

/// Print a JSON Schema, for editors
///
/// An editor that knows the schema completes and checks campaign files. For VS Code's YAML extension, write the
/// schema to a file and put `# yaml-language-server: $schema=campaign.schema.json` on the campaign's first line.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill schema campaign > campaign.schema.json")]
pub(crate) struct SchemaCommand {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// The campaign file
    Campaign,
    /// The body of an AMQP message with rows in it
    InlineJob,
}

impl SchemaCommand {
    pub(crate) fn execute(self) -> anyhow::Result<Exit> {
        let schema = match self.subject {
            Subject::Campaign => campaign_schema(),
            Subject::InlineJob => inline_job_schema(),
        };
        output::line(serde_json::to_string_pretty(&schema)?);
        Ok(Exit::Done)
    }
}
