use copymill_engine::bench::random_model::{Shape, write};
use copymill_engine::bench::{Workload, compare};
use copymill_engine::*;
#[tokio::test]
async fn zz() {
    let path = std::path::Path::new("/var/tmp/random-gpt2.gguf");
    if !path.exists() { write(path, Shape::GPT2_124M, &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo-model/demo.gguf")).unwrap(); }
    let var = |k: &str, d: u32| std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let mut s = LlamaSettings::new(path);
    s.slots = Some(var("SLOTS", 16)); s.threads = Some(var("THREADS", 2));
    s.batch = var("BATCH", 512); s.micro_batch = var("UBATCH", 512);
    s.flash_attention = match var("FA", 2) { 0 => FlashAttention::Off, 1 => FlashAttention::On, _ => FlashAttention::Auto };
    if var("CELLS", 0) > 0 { s.cells = Some(var("CELLS", 0)); }
    let w = Workload { rows: var("ROWS", 32), constrained: var("CON", 1) == 1, ..Workload::default() };
    let c = compare(&s, w, var("ROUNDS", 1), var("UNSHARED", 0) == 1).await.unwrap();
    for r in &c.rounds { println!("engine {:.2?} bare {:.2?} unshared {:?}  steps {} forced {} gen {} occupancy {:.1}", r.engine, r.bare, r.unshared, r.stats.decode_steps, r.stats.forced_tokens, r.stats.generated_tokens, r.stats.busy_slot_steps as f64 / r.stats.decode_steps as f64); }
    println!("rows/s {:.2} of bare {:.3} sharing {:?}", c.rows_per_second(), c.share_of_bare(), c.sharing_gain());
}
