//! What a run shows while it works: a bar on a terminal, a line every few seconds elsewhere.

mod figures;

use std::{io::IsTerminal, sync::Arc, time::Duration};

use copymill_campaign::CampaignState;
use copymill_service::logging::{LogOutput, Redirected};
use copymill_worker::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;

pub(crate) use figures::Extent;
use figures::Figures;

use crate::output;

const DRAW_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows progress until it is dropped or told to finish.
pub(crate) struct Reporter {
    bar: ProgressBar,
    figures: Figures,
    state: watch::Receiver<CampaignState>,
    _log: Option<Redirected>,
}

impl Reporter {
    /// Begins to show; `state` is the leader's, `progress` the worker's.
    pub(crate) fn new(
        extent: Extent,
        progress: Arc<Progress>,
        state: watch::Receiver<CampaignState>,
        log: &LogOutput,
    ) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let target = if on_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(extent.messages), target).with_style(style());
        let log = on_terminal.then(|| {
            let bar = bar.clone();
            log.redirect(Arc::new(move |line| bar.println(line)))
        });
        Self { bar, figures: Figures::new(extent, progress), state, _log: log }
    }

    /// A handle that prints lines above the bar.
    pub(crate) fn printer(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let bar = self.bar.clone();
        move |line| if bar.is_hidden() { output::note(line) } else { bar.println(line) }
    }

    /// Shows until the future ends, and gives its result.
    pub(crate) async fn during<T>(mut self, work: impl Future<Output = T>) -> T {
        let mut draw = tokio::time::interval(DRAW_EVERY);
        let mut line = tokio::time::interval_at(tokio::time::Instant::now() + LINE_EVERY, LINE_EVERY);
        tokio::pin!(work);
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                _ = draw.tick() => self.draw(),
                _ = line.tick(), if self.bar.is_hidden() => output::note(self.figures.line()),
            }
        };
        self.draw();
        self.bar.finish_and_clear();
        result
    }

    fn draw(&mut self) {
        self.figures.update(&self.state.borrow_and_update());
        self.bar.set_length(self.figures.total());
        self.bar.set_position(self.figures.done());
        self.bar.set_message(self.figures.message());
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{wide_bar:.green/dim} {pos}/{len} {msg}");
    style.expect("the template is one of indicatif's").progress_chars("━━─")
}
