//! What a row gets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use copymill_engine::{
    Constraint, Engine, EngineError, FinishReason, LlamaEngine, LlamaSettings, Request, Sampling,
};
use serde_json::{Value, json};

use crate::{engine, hot, prompt, request, settings};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "subject": {"type": "string", "maxLength": 60},
            "body": {"type": "array", "items": {"type": "string", "maxLength": 60}, "minItems": 1, "maxItems": 2},
            "tone": {"enum": ["warm", "plain"]}
        },
        "required": ["subject", "body", "tone"],
        "additionalProperties": false
    })
}

#[tokio::test]
async fn a_schema_constrained_row_is_valid_json() {
    let engine = engine();
    let constraint = Some(Arc::new(Constraint::json_schema(schema())));
    let prompt = prompt(&engine, "You write e-mails.", "A spring sale of tents.");
    let request = Request { constraint, sampling: hot(), ..request(prompt, (0..8).collect(), 400) };
    for generation in engine.generate(request).await.unwrap() {
        assert_eq!(generation.finish, FinishReason::Stop, "{}", generation.text);
        let value: Value = serde_json::from_str(&generation.text).unwrap();
        assert!(value["body"].as_array().is_some_and(|body| !body.is_empty()));
        assert!(["warm", "plain"].contains(&value["tone"].as_str().unwrap()));
        assert!(generation.text.starts_with("{\"subject\":\""), "compact: {}", generation.text);
        assert!(generation.tokens.forced > 5, "{:?}", generation.tokens);
        assert!(generation.tokens.forced < generation.tokens.generated);
        assert_eq!(generation.token_ids.len(), generation.tokens.generated as usize);
        assert_eq!(engine.detokenize(&generation.token_ids), generation.text);
    }
}

#[tokio::test]
async fn a_schema_with_one_answer_needs_no_model() {
    let engine = engine();
    let constraint = Some(Arc::new(Constraint::json_schema(json!({"const": {"a": [1, 2]}}))));
    let request = Request { constraint, ..request(vec![1, 2, 3], vec![7], 50) };
    let generations = engine.generate(request).await.unwrap();
    assert_eq!(generations[0].text, r#"{"a":[1,2]}"#);
    assert_eq!(generations[0].finish, FinishReason::Stop);
    assert_eq!(generations[0].tokens.forced, generations[0].tokens.generated);
    assert_eq!(engine.stats().decode_steps, 0);
}

#[tokio::test]
async fn a_schema_that_cannot_be_enforced_is_an_error() {
    let constraint = Some(Arc::new(Constraint::json_schema(json!({"type": "no such type"}))));
    let request = Request { constraint, ..request(vec![1], vec![1], 5) };
    let error = engine().generate(request).await.unwrap_err();
    assert!(matches!(error, EngineError::Constraint(_)), "{error}");
}

#[tokio::test]
async fn the_same_seed_in_one_slot_repeats_the_same_text() {
    let engine = LlamaEngine::load(&LlamaSettings { slots: Some(1), ..settings() }).unwrap();
    let prompt = prompt(&engine, "You write e-mails.", "A spring sale of tents.");
    let mut texts = Vec::new();
    for seed in [4, 4, 5] {
        let request = Request { sampling: hot(), ..request(prompt.clone(), vec![seed], 60) };
        texts.push(engine.generate(request).await.unwrap().remove(0).text);
    }
    assert_eq!(texts[0], texts[1]);
    assert_ne!(texts[0], texts[2]);
}

#[tokio::test]
async fn max_tokens_cuts_and_says_so() {
    let engine = engine();
    let request = Request { sampling: hot(), ..request(prompt(&engine, "a", "b"), vec![1], 5) };
    let generation = engine.generate(request).await.unwrap().remove(0);
    assert_eq!((generation.finish, generation.tokens.generated), (FinishReason::Length, 5));
}

#[tokio::test]
async fn an_output_ends_where_the_context_does() {
    let engine = engine();
    let limit = engine.info().context_tokens as usize;
    // A schema of endless digits: the model cannot end it by itself.
    let endless = json!({"type": "string", "pattern": "^[0-9]+$", "minLength": 5000});
    let constraint = Some(Arc::new(Constraint::json_schema(endless)));
    let request = Request { constraint, ..request(vec![5; limit - 20], vec![1, 2], 4000) };
    for generation in engine.generate(request).await.unwrap() {
        assert_eq!(generation.finish, FinishReason::Context);
        // The last token needs no cell of its own: nothing follows it.
        assert_eq!(generation.token_ids.len(), 21);
    }
}

#[tokio::test]
async fn a_prompt_longer_than_the_context_is_a_clear_error() {
    let engine = engine();
    let limit = engine.info().context_tokens as usize;
    let error = engine.generate(request(vec![5; limit], vec![1], 10)).await.unwrap_err();
    assert!(
        matches!(error, EngineError::PromptTooLong { tokens, limit: at } if tokens == limit && at == limit)
    );
}

#[tokio::test]
async fn a_token_that_the_model_lacks_fails_its_row_only() {
    let engine = engine();
    let foreign = engine.generate(request(vec![1, 999_999], vec![1], 10)).await.unwrap();
    assert!(matches!(&foreign[0].finish, FinishReason::Failed(why) if why.contains("999999")));
    let generations = engine.generate(request(prompt(&engine, "a", "b"), vec![1], 3)).await.unwrap();
    assert_eq!(generations.len(), 1);
}

#[tokio::test]
async fn a_stop_text_is_cut_with_what_follows() {
    let engine = engine();
    let prompt = prompt(&engine, "You write e-mails.", "A spring sale of tents.");
    let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
    let free = Request { sampling: greedy, ..request(prompt, vec![1], 40) };
    let full = engine.generate(free.clone()).await.unwrap().remove(0).text;
    let middle = full.floor_char_boundary(full.len() / 2);
    let stop = full[middle..].chars().take(4).collect::<String>();
    let cut = engine.generate(Request { stop: vec![stop.clone()], ..free }).await.unwrap().remove(0);
    assert_eq!(cut.text, full[..full.find(&stop).unwrap()]);
    assert_eq!(cut.finish, FinishReason::Stop);
}

#[tokio::test]
async fn a_watch_ends_the_text_and_a_panicking_one_fails_its_row_only() {
    let engine = engine();
    let prompt = prompt(&engine, "You write e-mails.", "A spring sale of tents.");
    let short = |text: &str, _: usize| text.len() < 20;
    let watched = Request { watch: Some(Arc::new(short)), sampling: hot(), ..request(prompt, vec![1], 100) };
    let generation = engine.generate(watched.clone()).await.unwrap().remove(0);
    assert_eq!(generation.finish, FinishReason::Watch);
    assert!((20..60).contains(&generation.text.len()), "{}", generation.text);
    let panicking = |_: &str, _: usize| -> bool { panic!("a watch that cannot go on") };
    let request = Request { watch: Some(Arc::new(panicking)), ..watched.clone() };
    let failed = engine.generate(request).await.unwrap().remove(0);
    assert!(matches!(failed.finish, FinishReason::Failed(_)));
    assert_eq!(engine.generate(watched).await.unwrap().len(), 1);
}

#[tokio::test]
async fn utf_8_is_valid_with_byte_tokens() {
    let engine = engine();
    let prompt = prompt(&engine, "日本語 🏕️ žluťoučký", "Grüße");
    let wild = Sampling { temperature: 50.0, ..hot() };
    let request = Request { sampling: wild, ..request(prompt, (0..16).collect(), 60) };
    let generations = engine.generate(request).await.unwrap();
    // The type says the text is UTF-8; that it is a prefix of the whole decoding says nothing was lost or doubled.
    for generation in generations {
        let decoded = engine.detokenize(&generation.token_ids);
        assert!(decoded.starts_with(&generation.text), "{:?}", generation.text);
        assert!(decoded.len() - generation.text.len() <= 3 * 4, "{:?}", generation.text);
    }
}

#[tokio::test]
async fn dropping_the_future_frees_the_slot() {
    let engine = LlamaEngine::load(&LlamaSettings { slots: Some(1), ..settings() }).unwrap();
    let endless = json!({"type": "string", "pattern": "^[0-9]+$", "minLength": 5000});
    let constraint = Some(Arc::new(Constraint::json_schema(endless)));
    let long = Request { constraint, ..request(vec![5; 10], vec![1], 4000) };
    let waiting = tokio::time::timeout(Duration::from_millis(50), engine.generate(long)).await;
    assert!(waiting.is_err(), "it would have taken longer");
    let generations = engine.generate(request(prompt(&engine, "a", "b"), vec![1], 3)).await.unwrap();
    assert_eq!(generations.len(), 1);
    let stats = engine.stats();
    assert_eq!((stats.running, stats.queued, stats.finished), (0, 0, 2));
}

#[tokio::test]
async fn stats_add_up() {
    let engine = engine();
    let before = Instant::now();
    let prompt = prompt(&engine, "You write e-mails.", "A spring sale of tents.");
    let tokens = prompt.len() as u64;
    let request = Request { sampling: hot(), ..request(prompt, vec![1, 2, 3], 10) };
    let generations = engine.generate(request).await.unwrap();
    let stats = engine.stats();
    let written: u64 = generations.iter().map(|generation| u64::from(generation.tokens.generated)).sum();
    let reused: u64 = generations.iter().map(|generation| u64::from(generation.tokens.reused)).sum();
    assert_eq!(stats.generated_tokens, written);
    assert_eq!(stats.reused_tokens, reused);
    assert_eq!(stats.prompt_tokens, 3 * tokens - reused);
    assert_eq!((stats.finished, stats.running, stats.queued), (3, 0, 0));
    assert!(stats.decode_steps >= 10 && stats.busy_slot_steps > stats.decode_steps);
    assert!(stats.last_progress >= before);
}
