use std::sync::Arc;
use std::time::{Duration, Instant};

use copymill_tokenizer::{Segment, Tokenizer, Trust};

use super::*;
use crate::engine::{Engine, EngineError};
use crate::request::{FinishReason, Request};

fn request(text: &str, seeds: Vec<u32>, max_tokens: u32) -> Request {
    Request { prompt: ByteTokenizer::ids(text), seeds, max_tokens, ..Request::default() }
}

#[tokio::test]
async fn the_script_sees_prompt_and_seed() {
    let engine = ScriptedEngine::new(2, |request, seed| {
        ScriptedAnswer::text(format!("{} #{seed}", ScriptedEngine::prompt_text(request)))
    });
    let generations = engine.generate(request("Grüße", vec![3, 1], 100)).await.unwrap();
    let texts: Vec<&str> = generations.iter().map(|generation| generation.text.as_str()).collect();
    assert_eq!(texts, ["Grüße #3", "Grüße #1"]);
    assert_eq!(generations[0].tokens.prompt, 7);
    assert_eq!(generations[1].finish, FinishReason::Stop);
    assert_eq!(engine.stats().finished, 2);
}

#[tokio::test]
async fn it_rambles_to_the_limit_says_nothing_or_fails() {
    let engine = ScriptedEngine::fallible(1, |request, seed| match seed {
        0 => Ok(ScriptedAnswer::rambling(request)),
        1 => Ok(ScriptedAnswer::nothing()),
        2 => Ok(ScriptedAnswer::failed("no more ideas")),
        _ => Err(EngineError::Stopped),
    });
    let generations = engine.generate(request("x", vec![0, 1, 2], 25)).await.unwrap();
    assert_eq!((generations[0].text.len(), &generations[0].finish), (25, &FinishReason::Length));
    assert_eq!((generations[1].text.as_str(), &generations[1].finish), ("", &FinishReason::Stop));
    assert_eq!(generations[2].finish, FinishReason::Failed("no more ideas".into()));
    assert!(matches!(engine.generate(request("x", vec![3], 25)).await, Err(EngineError::Stopped)));
}

#[tokio::test]
async fn stop_texts_watches_and_the_context_end_it_as_they_end_a_model() {
    let engine = ScriptedEngine::new(1, |_, _| ScriptedAnswer::text("one two three")).with_context(10);
    let stopped = Request { stop: vec![" t".into()], ..request("x", vec![1], 100) };
    assert_eq!(engine.generate(stopped).await.unwrap()[0].text, "one");
    let watched =
        Request { watch: Some(Arc::new(|text: &str, _| text.len() < 2)), ..request("x", vec![1], 100) };
    let watched = engine.generate(watched).await.unwrap().remove(0);
    assert_eq!((watched.text.as_str(), watched.finish), ("one ", FinishReason::Watch));
    let cut = engine.generate(request("x", vec![1], 100)).await.unwrap().remove(0);
    assert_eq!((cut.text.as_str(), cut.finish), ("one two t", FinishReason::Context));
    let long = engine.generate(request("0123456789", vec![1], 1)).await;
    assert!(matches!(long, Err(EngineError::PromptTooLong { tokens: 10, limit: 10 })));
}

#[tokio::test(start_paused = true)]
async fn slots_limit_what_runs_at_once() {
    let second = Duration::from_secs(1);
    let engine = ScriptedEngine::new(2, move |_, _| ScriptedAnswer::text("x").after(second));
    let started = tokio::time::Instant::now();
    let requests = (0..6).map(|seed| engine.generate(request("x", vec![seed], 9)));
    let mut generated = futures::future::join_all(requests).await;
    assert!(generated.drain(..).all(|generations| generations.is_ok()));
    assert_eq!(started.elapsed(), 3 * second);
    let stats = engine.stats();
    assert_eq!((stats.running, stats.queued), (0, 0));
    assert!(stats.last_progress <= Instant::now());
}

#[test]
fn the_byte_tokenizer_has_an_id_per_byte() {
    let segment = |text: &str, trust| Segment { text: text.into(), trust };
    let segments = [segment("a", Trust::Template), segment("é", Trust::Untrusted)];
    assert_eq!(ByteTokenizer.encode(&segments).unwrap(), [97, 195, 169]);
    assert_eq!(ByteTokenizer::text(&[97, 195, 169]), "aé");
}
