//! A worker as it is, with answers from a script in place of a model: for tests of what kills workers, and for
//! measuring everything but the model. What the script does stands in `SCRIPT_…` variables.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use copymill_engine::{ByteTokenizer, EngineError, Request, ScriptedAnswer, ScriptedEngine};
use copymill_model::{ModelHeader, find_model};
use copymill_service::process::{self, Program};
use copymill_tokenizer::PromptEncoder;
use copymill_worker::Generator;
use copymill_worker::program::{Settings, Vitals, serve};

const PROGRAM: Program = Program {
    name: "scripted-worker",
    about: "A worker whose answers come from a script",
    version: env!("CARGO_PKG_VERSION"),
    settings: "  SCRIPT_ANSWER    the text of every answer\n  SCRIPT_SLOTS     answers at once\n  \
               SCRIPT_DELAY_MS  how long an answer takes\n  SCRIPT_KILLED_BY a prompt with this text ends the process\n  \
               SCRIPT_STUCK_AT  a prompt with this text is never answered\n  \
               SCRIPT_EMPTY_AT  a prompt with this text is answered with nothing\n  \
               SCRIPT_STOPPED_BY  after a prompt with this text the engine takes no other",
};

/// An answer that passes the checks of a social post.
const POST: &str = r##"{"post":"[[brand]] is back on the trail. Have a look at [[product]].","hashtags":["#Outdoor","#Trail"]}"##;

fn main() -> ExitCode {
    process::run(PROGRAM, |settings: Settings, shutdown| async move {
        let file = find_model(&settings.worker.model, None, &settings.model_places()).await?;
        let header = ModelHeader::read(file)?;
        let vitals = Vitals::tell(&settings.admin, env!("CARGO_PKG_VERSION")).await?;
        let generator = Generator {
            engine: Arc::new(engine()?),
            encoder: Arc::new(PromptEncoder::new(Arc::new(ByteTokenizer), &header.gguf)?),
            progress: vitals.progress(),
        };
        serve(&settings, &vitals, (generator, header.pin, Duration::ZERO), shutdown).await
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, otherwise: u32) -> anyhow::Result<u32> {
    Ok(variable(name).map_or(Ok(otherwise), |text| text.parse())?)
}

fn engine() -> anyhow::Result<ScriptedEngine> {
    let answer = variable("SCRIPT_ANSWER").unwrap_or_else(|| POST.to_owned());
    let delay = Duration::from_millis(number("SCRIPT_DELAY_MS", 0)?.into());
    let (killed_by, stuck_at) = (variable("SCRIPT_KILLED_BY"), variable("SCRIPT_STUCK_AT"));
    let (empty_at, stopped_by) = (variable("SCRIPT_EMPTY_AT"), variable("SCRIPT_STOPPED_BY"));
    let is_stopped = AtomicBool::new(false);
    let shows = |request: &Request, text: &Option<String>| {
        text.as_ref().is_some_and(|text| ScriptedEngine::prompt_text(request).contains(text))
    };
    Ok(ScriptedEngine::fallible(number("SCRIPT_SLOTS", 16)?, move |request, _| {
        if shows(request, &stopped_by) {
            is_stopped.store(true, Ordering::SeqCst);
        }
        if is_stopped.load(Ordering::SeqCst) {
            return Err(EngineError::Stopped);
        }
        if shows(request, &killed_by) {
            // As a fault in a GPU driver would: no destructor runs, no signal is handled.
            std::process::abort();
        }
        let delay = if shows(request, &stuck_at) { Duration::MAX } else { delay };
        let answer = if shows(request, &empty_at) { "" } else { &answer };
        Ok(ScriptedAnswer::text(answer).after(delay))
    }))
}
