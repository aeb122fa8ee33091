//! What the way from queue to store costs: llama.cpp works on the chunks of a campaign through RabbitMQ and S3, then on the
//! very same requests alone.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use copymill_broker::{Broker, RabbitBroker};
use copymill_campaign::ModelPin;
use copymill_engine::bench::random_model;
use copymill_engine::{Engine, EngineError, EngineInfo, EngineStats, Generation, Request};
use copymill_model::{CACHE_BYTES, ModelHeader, ModelPlaces, find_model};
use copymill_scheduler::{
    office::{Office, Submission},
    prepare,
};
use copymill_service::{Shutdown, settings};
use copymill_store::S3Settings;
use copymill_worker::program::{EngineSection, Settings, Vitals, serve};
use copymill_worker::{Generator, load_model};
use tokio::task::JoinSet;

use super::inputs::{own_of, places_in, write_recipients};
use super::store::{Waiting, open, wait};
use super::{line, note, title};
use crate::local_cluster::{Crew, Place};

/// What is promised.
const COST: f64 = 0.05;
/// Tokens of an answer. Random weights never end one by themselves.
const TOKENS: u32 = 64;
/// About a minute of a CPU, as a cluster's settings should be.
const CHUNKS: [(&str, &str); 1] = [("COPYMILL_SCHEDULER__CHUNK_TOKENS", "12000")];
const WARM_UP_ROWS: u64 = 32;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Compare llama.cpp behind RabbitMQ and S3 with llama.cpp alone, on the same requests
#[derive(clap::Args)]
pub struct Overhead {
    /// Messages in a round
    #[arg(long, value_name = "N", default_value_t = 120)]
    rows: u64,
    /// Rounds; the table shows the smallest, the middle and the largest value
    #[arg(long, value_name = "N", default_value_t = 6)]
    rounds: u32,
}

struct Round {
    through: Duration,
    alone: Duration,
    requests: usize,
}

impl Overhead {
    /// Measures, prints, and fails where the promise is broken.
    pub async fn execute(self) -> anyhow::Result<()> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let place = Place::new(folder.path().join("cluster"))?;
        let (model, cache) = (folder.path().join("random-gpt2-124m.gguf"), place.path("cache"));
        let (base, s3) = (folder.path().to_owned(), S3Settings::default());
        let places = ModelPlaces { base, cache: cache.clone(), cache_bytes: CACHE_BYTES, s3 };
        let vocabulary = find_model("demo", None, &places).await?.path;
        random_model::write(&model, random_model::Shape::GPT2_124M, &vocabulary)?;
        let cluster = place.start(&Crew { worker: "copymill-worker", workers: 0, environment: &CHUNKS })?;
        let (recorder, shutdown) = (Arc::new(Recorder::load(&model, &places).await?), Shutdown::manual());
        let worker = tokio::spawn(work(place.settings(), Arc::clone(&recorder), shutdown.clone()));
        let broker =
            RabbitBroker::connect(&settings::load::<Settings>(Some(&place.settings()))?.broker).await?;
        let told: Arc<dyn Broker> = Arc::new(broker.clone());
        let office = Office { store: open(&place, &cluster).await?, broker: Some(told) };

        let submit = async |rows: u64| -> anyhow::Result<Round> {
            write_recipients(&folder.path().join("recipients.csv"), rows)?;
            fs::write(folder.path().join("campaign.yaml"), own_of(&model.display().to_string(), TOKENS))?;
            let prepared = prepare(&folder.path().join("campaign.yaml"), &places_in(&cache)).await?;
            let begun = Instant::now();
            let id = office.submit(&prepared, &Submission::default()).await?.id;
            let waiting = Waiting { every: LOOK_EVERY, says: false };
            let state = wait(office.store.as_ref(), &id, &waiting).await?;
            let through = begun.elapsed();
            ensure!(state.totals.outcomes.total() == rows, "not every row has an outcome");
            let requests = recorder.take();
            Ok(Round { through, requests: requests.len(), alone: replay(&recorder.inner, requests).await? })
        };
        note(format_args!("warming up with {WARM_UP_ROWS} rows"));
        submit(WARM_UP_ROWS).await?;
        let mut rounds = Vec::new();
        for number in 1..=self.rounds {
            let round = submit(self.rows).await?;
            note(format_args!(
                "round {number}: {:.1} s, alone {:.1} s",
                round.through.as_secs_f64(),
                round.alone.as_secs_f64()
            ));
            rounds.push(round);
        }
        shutdown.request_drain();
        worker.await.context("the worker panicked")??;
        broker.close().await;
        cluster.stop();
        self.print(&rounds)
    }

    fn print(&self, rounds: &[Round]) -> anyhow::Result<()> {
        let rows = self.rows as f64;
        title(format_args!(
            "{} messages of {TOKENS} tokens, GPT-2 124M, Q8_0, {} rounds",
            self.rows,
            rounds.len()
        ));
        line("", format_args!("{:>9} {:>9} {:>9}", "smallest", "middle", "largest"));
        let spread = |name: &str, value: &dyn Fn(&Round) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            let (first, middle, last) = (values[0], values[values.len() / 2], values[values.len() - 1]);
            line(name, format_args!("{first:>9.3} {middle:>9.3} {last:>9.3}"));
            middle
        };
        spread("messages/s, submitted to completed", &|round| rows / round.through.as_secs_f64());
        spread("messages/s, the same requests alone", &|round| rows / round.alone.as_secs_f64());
        spread("requests, attempts that failed included", &|round| round.requests as f64);
        let share = spread("speed as a share of the engine alone", &|round| {
            round.alone.as_secs_f64() / round.through.as_secs_f64()
        });
        ensure!(share >= 1.0 - COST, "queue to store costs more than {:.0} %", COST * 100.0);
        Ok(())
    }
}

/// Works on the campaign's chunks, as the worker program does.
async fn work(
    settings: std::path::PathBuf,
    recorder: Arc<Recorder>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let settings: Settings = settings::load(Some(&settings))?;
    let (encoder, pin) = (recorder.encoder.clone(), recorder.pin.clone());
    let vitals = Vitals::tell(&settings.admin, env!("CARGO_PKG_VERSION")).await?;
    let generator = Generator { engine: recorder, encoder, progress: vitals.progress() };
    serve(&settings, &vitals, (generator, pin, Duration::ZERO), shutdown).await
}

/// Lets the engine work on requests, all of them at once.
async fn replay(engine: &Arc<dyn Engine>, requests: Vec<Request>) -> anyhow::Result<Duration> {
    let (begun, mut running) = (Instant::now(), JoinSet::new());
    for request in requests {
        let engine = Arc::clone(engine);
        running.spawn(async move { engine.generate(request).await });
    }
    while let Some(ended) = running.join_next().await {
        ended.context("a request panicked")??;
    }
    Ok(begun.elapsed())
}

/// An engine that remembers what it was asked.
struct Recorder {
    inner: Arc<dyn Engine>,
    encoder: Arc<copymill_tokenizer::PromptEncoder>,
    pin: ModelPin,
    requests: Mutex<Vec<Request>>,
}

impl Recorder {
    async fn load(model: &Path, places: &ModelPlaces) -> anyhow::Result<Self> {
        let header = ModelHeader::read(find_model(&model.display().to_string(), None, places).await?)?;
        let loaded = load_model(&header, EngineSection::default().of_model(model)).await?;
        note(format_args!("{}", loaded.engine.info().start_line));
        let (inner, encoder) = (loaded.engine, loaded.encoder);
        Ok(Self { inner, encoder, pin: header.pin, requests: Mutex::default() })
    }

    fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Engine for Recorder {
    fn info(&self) -> &EngineInfo {
        self.inner.info()
    }

    async fn generate(&self, request: Request) -> Result<Vec<Generation>, EngineError> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        self.inner.generate(request).await
    }

    fn stats(&self) -> EngineStats {
        self.inner.stats()
    }
}
