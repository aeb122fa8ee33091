//! A campaign without a manifest: what is there so far.

use copymill_campaign::{Accepted, CampaignKeys, ChunkKind, LineReader, OutcomeCounts, is_split};
use copymill_store::Store;

use super::line::MessageLine;
use super::verdict::{Problems, Standing, Verdict};

/// Counts the messages that are stored; an object that cannot be read is a problem.
pub(super) async fn look(
    store: &dyn Store,
    keys: &CampaignKeys,
    campaign: &Accepted,
) -> anyhow::Result<Verdict> {
    let (mut outcomes, mut problems, mut objects) = (OutcomeCounts::default(), Problems::default(), 0);
    let (mut chunks_cut, mut last) = (0, None::<String>);
    loop {
        let page = store.list(&keys.input_prefix(ChunkKind::Messages), last.as_deref()).await?;
        let Some(end) = page.last() else { break };
        chunks_cut += page.len() as u64;
        last = Some(end.key.clone());
    }
    last = None;
    loop {
        let page = store.list(&keys.output_prefix(ChunkKind::Messages), last.as_deref()).await?;
        let Some(end) = page.last() else { break };
        for listed in &page {
            let Some(object) = store.get(&listed.key).await? else { continue };
            if is_split(&object.body) {
                continue;
            }
            objects += 1;
            if let Err(error) = count(&object.body, &mut outcomes) {
                problems.note(format!("{}: {error}", listed.key));
            }
        }
        last = Some(end.key.clone());
    }
    let messages = outcomes.total();
    let rows = messages.div_ceil(u64::from(campaign.file.variants.max(1)));
    let standing = Standing::Unfinished { chunks_done: objects, chunks_cut };
    Ok(Verdict { standing, problems, rows, messages, outcomes, objects })
}

fn count(object: &[u8], outcomes: &mut OutcomeCounts) -> Result<(), copymill_campaign::LineError> {
    for line in LineReader::<MessageLine>::new(object)? {
        outcomes.add(line?.outcome, 1);
    }
    Ok(())
}
