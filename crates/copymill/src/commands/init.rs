//! `copymill init`: a first campaign file for an audience.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use copymill_campaign::init_campaign;
use copymill_scheduler::{SourceFile, audience::AudienceOptions};

use crate::{
    campaign_run::{command_name, shell_word},
    commands::cluster::places,
    exit::{Exit, OrUserError, usage},
    output,
    settings::Settings,
};

/// Rows that the guesses about columns are made from.
const SAMPLE_ROWS: usize = 500;

/// Write a commented campaign file for a list of recipients
///
/// Looks at the columns and some hundred rows, guesses what each column is for, and writes a campaign file that works
/// as it is and explains every key. A file that exists is never overwritten.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill init recipients.csv -o spring.yaml")]
pub(crate) struct Init {
    /// The recipients: a CSV, JSONL or Parquet file, or s3://bucket/key
    recipients: String,
    /// The campaign file to write
    #[arg(short, long, value_name = "FILE", default_value = "campaign.yaml")]
    output: PathBuf,
}

impl Init {
    pub(crate) async fn execute(self, settings: &Settings) -> anyhow::Result<Exit> {
        let found = SourceFile::find(&self.recipients, Path::new(""), &places(settings)?).await;
        let recipients = found.or_user_error()?;
        let mut reader = recipients.open(AudienceOptions::default()).or_user_error()?;
        let columns = reader.columns().to_vec();
        let mut rows = Vec::new();
        while rows.len() < SAMPLE_ROWS
            && let Some(record) = reader.next_record()?
        {
            rows.extend(record.values);
        }
        let source = match &recipients {
            SourceFile::Own(path) => source_beside(path, &self.output)?,
            SourceFile::Copy { name, .. } => name.clone(),
        };
        write_new(&self.output, &init_campaign(&columns, &rows, &source))?;
        let (program, file) = (command_name(), shell_word(&self.output));
        output::line(format_args!(
            "{} written: {}. Have a look at it, then:",
            self.output.display(),
            reader.describe()
        ));
        output::line(format_args!("  {program} preview {file} -n 3"));
        Ok(Exit::Done)
    }
}

/// How the campaign file calls its audience: a path relative to itself where that is a plain one.
fn source_beside(recipients: &Path, campaign: &Path) -> anyhow::Result<String> {
    let folder = campaign.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::canonicalize(folder).map_err(|_| {
        usage(format!("the folder {} for the campaign file does not exist", folder.display()))
    })?;
    let audience = std::fs::canonicalize(recipients)?;
    let path = audience.strip_prefix(&folder).unwrap_or(&audience);
    let text = path
        .to_str()
        .with_context(|| format!("{} is no UTF-8 path; rename it", path.display()))
        .or_user_error()?;
    Ok(text.to_owned())
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let message = format!(
                "{} exists and is not overwritten; choose another name with --output",
                path.display()
            );
            return Err(usage(message));
        }
        Err(error) => return Err(error).with_context(|| format!("{} cannot be written", path.display())),
    };
    file.write_all(text.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audience_is_named_as_seen_from_the_campaign_file() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("lists/people.csv");
        std::fs::create_dir(folder.path().join("lists")).unwrap();
        std::fs::write(&list, "id\n1\n").unwrap();
        let beside = source_beside(&list, &folder.path().join("campaign.yaml")).unwrap();
        assert_eq!(beside, "lists/people.csv");
        let elsewhere = tempfile::tempdir().unwrap();
        let far = source_beside(&list, &elsewhere.path().join("campaign.yaml")).unwrap();
        assert!(Path::new(&far).is_absolute());
    }

    #[test]
    fn a_file_that_exists_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("campaign.yaml");
        write_new(&path, "one").unwrap();
        assert!(write_new(&path, "two").unwrap_err().to_string().contains("not overwritten"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
    }
}
