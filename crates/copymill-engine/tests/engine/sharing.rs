//! What rows compute together, and what happens when cells run out.

use std::sync::Arc;

use copymill_engine::{
    Constraint, Engine, FinishReason, KvLayout, LlamaEngine, LlamaSettings, Request, Sampling,
};
use serde_json::json;

use crate::{engine, hot, prompt, request, settings};

const SYSTEM: &str = "You write e-mails for a shop that sells tents, boots and stoves to people who walk in hills. Be \
                      kind and short, name the offer once, and never promise what is not in the facts you are given.";

fn greedy() -> Sampling {
    Sampling { temperature: 0.0, ..Sampling::default() }
}

#[tokio::test]
async fn a_prefix_is_computed_once() {
    let engine = engine();
    let prompts: Vec<Vec<u32>> =
        (0..10).map(|row| prompt(&engine, SYSTEM, &format!("{row}: tents for customer {row}."))).collect();
    let own: u64 = prompts.iter().map(|prompt| prompt.len() as u64).sum();
    let shared = prompts[0].iter().zip(&prompts[1]).take_while(|(left, right)| left == right).count() as u64;
    assert!(shared > 40, "{shared}");
    let requests = prompts.into_iter().map(|prompt| engine.generate(request(prompt, vec![1], 8)));
    let reused: u64 = futures_of(requests).await.iter().map(|tokens| u64::from(*tokens)).sum();
    assert!(reused >= 9 * shared, "{reused} of {}", 9 * shared);
    assert_eq!(engine.stats().prompt_tokens, own - reused);
    assert_eq!(engine.stats().reused_tokens, reused);
}

/// Waits for all and returns the reused tokens of each.
async fn futures_of(
    requests: impl Iterator<
        Item = impl Future<Output = Result<Vec<copymill_engine::Generation>, copymill_engine::EngineError>>,
    >,
) -> Vec<u32> {
    let mut reused = Vec::new();
    for generations in futures::future::join_all(requests).await {
        reused.extend(generations.unwrap().iter().map(|generation| generation.tokens.reused));
    }
    reused
}

#[tokio::test]
async fn variants_share_their_rows_prefill() {
    let engine = engine();
    let prompt = prompt(&engine, SYSTEM, "A spring sale.");
    let tokens = u32::try_from(prompt.len()).unwrap();
    let request = Request { sampling: hot(), ..request(prompt, vec![1, 2, 3, 4], 12) };
    let generations = engine.generate(request).await.unwrap();
    let reused: Vec<u32> = generations.iter().map(|generation| generation.tokens.reused).collect();
    assert_eq!(reused, [0, tokens - 1, tokens - 1, tokens - 1]);
    assert_ne!(generations[0].text, generations[1].text);
}

#[tokio::test]
async fn sharing_and_layouts_do_not_change_what_is_written() {
    let mut texts = Vec::new();
    for (share_prefixes, kv_layout) in [
        (true, KvLayout::Unified),
        (false, KvLayout::Unified),
        (true, KvLayout::Split),
        (false, KvLayout::Split),
    ] {
        let engine = LlamaEngine::load(&LlamaSettings { share_prefixes, kv_layout, ..settings() }).unwrap();
        let prompts = (0..6).map(|row| prompt(&engine, SYSTEM, &format!("Tents for customer {row}.")));
        let requests = prompts.map(|prompt| Request { sampling: greedy(), ..request(prompt, vec![1], 16) });
        let generated = futures::future::join_all(requests.map(|request| engine.generate(request))).await;
        let written: Vec<String> = generated.into_iter().map(|row| row.unwrap().remove(0).text).collect();
        assert_eq!(engine.info().shares_prefixes, share_prefixes);
        assert_eq!(engine.stats().reused_tokens > 0, share_prefixes);
        texts.push(written);
    }
    // Rounding differs with the batch, and may turn a near tie; a wrong cell would turn nearly every text.
    for other in &texts[1..] {
        let same = texts[0].iter().zip(other).filter(|(left, right)| left == right).count();
        assert!(same >= 4, "{same} of 6 texts are the same");
    }
}

#[tokio::test]
async fn cells_running_out_requeues_and_everything_finishes() {
    let settings = LlamaSettings { slots: Some(8), cells: Some(256), ..settings() };
    let engine = LlamaEngine::load(&settings).unwrap();
    assert_eq!(engine.info().cells, 256);
    let endless = json!({"type": "string", "pattern": "^[0-9]+$", "minLength": 5000});
    let constraint = Some(Arc::new(Constraint::json_schema(endless)));
    let requests = (0..8).map(|row| {
        let request = request(vec![row + 40; 20], vec![row], 100);
        engine.generate(Request { constraint: constraint.clone(), ..request })
    });
    for generations in futures::future::join_all(requests).await {
        let generation = generations.unwrap().remove(0);
        assert_eq!((generation.finish, generation.token_ids.len()), (FinishReason::Length, 100));
    }
    assert!(engine.stats().requeues > 0);
}
