//! `copymill results`: downloads what a campaign wrote, as one file in the order of its audience.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use copymill_campaign::{CampaignKeys, ChunkId, ChunkKind, InputRow, LineReader, decode_input, is_split};
use copymill_scheduler::office::OutputObject;
use copymill_store::Store;
use serde_json::{Map, Value};

use super::Cluster;
use crate::{
    exit::{Exit, OrUserError, usage},
    output,
};

/// Download what a campaign wrote
///
/// One JSON line per recipient and variant, in the order of the audience, each object checked against the manifest. A
/// campaign that was cancelled or that failed gives what it has; one whose pilot awaits approval gives the pilot.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  copymill results spring-sale -o results.jsonl\n  copymill results spring-sale --join -o results.jsonl"
)]
pub(crate) struct Results {
    /// The campaign's id, or its name: the latest of that name
    campaign: String,
    /// File to write; it must not exist
    #[arg(short, long)]
    output: PathBuf,
    /// Adds the recipient's columns to each line, as `recipient`
    #[arg(long)]
    join: bool,
}

impl Results {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        let cluster = Cluster::reach().await?;
        let id = cluster.campaign(&self.campaign).await?;
        let (office, store, keys) = (cluster.looking(), cluster.store().as_ref(), CampaignKeys::of(&id));
        let Some(objects) = office.outputs(&id).await? else {
            return Err(usage(format!(
                "campaign {id} has not ended; `copymill status {id}` says where it stands"
            )));
        };
        let mut file = create(&self.output)?;
        let mut lines = 0;
        for object in &objects {
            let text = office.output(object).await?;
            if is_split(&text) {
                continue;
            }
            let rows = if self.join { Some(rows_of(store, &keys, object).await?) } else { None };
            lines += write(&mut file, &text, rows.as_ref())?;
        }
        file.flush().with_context(|| format!("{} cannot be written", self.output.display()))?;
        output::line(format_args!("{} in {}", output::counted(lines, "message"), self.output.display()));
        Ok(Exit::Done)
    }
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let made = File::options().write(true).create_new(true).open(path);
    Ok(BufWriter::new(made.with_context(|| format!("{} cannot be made", path.display())).or_user_error()?))
}

/// Columns and rows of the audience that an output object is about.
async fn rows_of(
    store: &dyn Store,
    keys: &CampaignKeys,
    object: &OutputObject,
) -> anyhow::Result<(Vec<String>, Vec<InputRow>)> {
    let chunk = CampaignKeys::chunk_of(&object.key)
        .with_context(|| format!("{} is named after no chunk", object.key))?;
    // The rows of a chunk that was split are in the input of the whole one.
    let key = keys.input(ChunkKind::Messages, &ChunkId::whole(chunk.index));
    let stored = store.get(&key).await?.with_context(|| format!("{key} is missing"))?;
    let (header, rows) = decode_input(&stored.body).with_context(|| format!("{key} is damaged"))?;
    Ok((header.columns, rows))
}

fn write(
    file: &mut impl Write,
    object: &[u8],
    joined: Option<&(Vec<String>, Vec<InputRow>)>,
) -> anyhow::Result<u64> {
    let mut lines = 0;
    for line in LineReader::<Map<String, Value>>::new(object)? {
        let mut line = line?;
        // The first line of an object describes it.
        let Some(row) = line.get("row").and_then(Value::as_u64) else { continue };
        if let Some((columns, rows)) = joined {
            let row = rows
                .iter()
                .find(|input| input.row == row)
                .with_context(|| format!("row {row} is missing"))?;
            let values = columns.iter().cloned().zip(row.values.iter().cloned().map(Value::from));
            line.insert("recipient".into(), values.collect::<Map<_, _>>().into());
        }
        serde_json::to_writer(&mut *file, &line)?;
        file.write_all(b"\n")?;
        lines += 1;
    }
    Ok(lines)
}
