//! Logs go to standard error: short lines for people, JSON for machines. Standard output belongs to results.
//!
//! A program that draws on the terminal, such as a progress bar, takes the lines over while it does.

use std::io::{self, IsTerminal, Write};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::traces;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Time of day, level, message and fields.
    #[default]
    Human,
    /// One JSON object, its fields beside `timestamp`, `level` and `message`.
    Json,
}

impl FromStr for Format {
    type Err = LoggingError;

    fn from_str(text: &str) -> Result<Self, LoggingError> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(LoggingError(format!("`{text}` is no log format: use human or json"))),
        }
    }
}

/// Why logging could not begin, for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LoggingError(String);

/// Takes whole log lines, without the line break, in place of standard error.
pub type LineSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Where log lines go; clones share it.
#[derive(Clone, Default)]
pub struct LogOutput {
    sink: Arc<Mutex<Option<LineSink>>>,
}

/// Log lines go elsewhere until this is dropped.
#[must_use = "the lines go back to standard error when this is dropped"]
pub struct Redirected(LogOutput);

/// Begins to log, for the whole process and once, and to trace where the environment names a collector.
///
/// The filter has the syntax of `tracing_subscriber`'s `EnvFilter`, such as `info` or `warn,copymill_worker=debug`.
pub fn init(program: &'static str, format: Format, filter: &str) -> Result<LogOutput, LoggingError> {
    let output = LogOutput::default();
    let subscriber = subscriber(format, filter, output.clone())?;
    let subscriber = subscriber.with(traces::layer(program).map_err(LoggingError)?);
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|_| LoggingError("logging was begun already".to_owned()))?;
    Ok(output)
}

impl LogOutput {
    /// Sends lines to a sink, for instance one that prints them above a progress bar. The sink must not log.
    pub fn redirect(&self, sink: LineSink) -> Redirected {
        self.set(Some(sink));
        Redirected(self.clone())
    }

    fn set(&self, sink: Option<LineSink>) {
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = sink;
    }
}

impl Drop for Redirected {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

/// What [`init`] makes global.
fn subscriber(
    format: Format,
    filter: &str,
    output: LogOutput,
) -> Result<impl Subscriber + for<'span> LookupSpan<'span> + Send + Sync + use<>, LoggingError> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        LoggingError(format!("`{filter}` is no log filter ({error}): use info, or warn,name=debug"))
    })?;
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Human => {
            let lines = fmt::layer().compact().with_target(false).with_timer(TimeOfDay).with_writer(output);
            // On a terminal the library decides, which honours NO_COLOR.
            if io::stderr().is_terminal() { lines.boxed() } else { lines.with_ansi(false).boxed() }
        }
        Format::Json => {
            let lines = fmt::layer().json().flatten_event(true).with_current_span(false);
            lines.with_timer(SystemTime).with_writer(output).boxed()
        }
    };
    Ok(Registry::default().with(lines.with_filter(filter)))
}

/// The time on the user's clock, to the second.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", jiff::ZonedDateTime::now().strftime("%H:%M:%S"))
    }
}

impl<'a> MakeWriter<'a> for LogOutput {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        // A copy, so that no lock is held while the sink runs.
        LineWriter(self.sink.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Writes one event, which comes in one piece.
pub struct LineWriter(Option<LineSink>);

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Some(sink) => sink(String::from_utf8_lossy(line).trim_end_matches('\n')),
            None => io::stderr().lock().write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(format: Format, filter: &str, events: impl FnOnce()) -> Vec<String> {
        let (output, lines) = (LogOutput::default(), Arc::new(Mutex::new(Vec::new())));
        let taken = Arc::clone(&lines);
        let _redirected = output.redirect(Arc::new(move |line| taken.lock().unwrap().push(line.to_owned())));
        tracing::subscriber::with_default(subscriber(format, filter, output.clone()).unwrap(), events);
        std::mem::take(&mut lines.lock().unwrap())
    }

    #[test]
    fn a_human_line_is_time_level_message_and_dotted_fields() {
        let lines = lines_of(Format::Human, "info", || {
            tracing::info!(chunk.id = "00017", chunk.rows = 64, "chunk done");
            tracing::debug!("not asked for");
        });
        let [line] = lines.as_slice() else { panic!("one line was asked for: {lines:?}") };
        let (time, rest) = line.split_at("12:34:56".len());
        assert!(time.bytes().all(|byte| byte == b':' || byte.is_ascii_digit()), "{line}");
        assert_eq!(rest.trim_start(), "INFO chunk done chunk.id=\"00017\" chunk.rows=64");
    }

    #[test]
    fn a_json_line_has_its_fields_at_the_top() {
        let lines = lines_of(Format::Json, "info", || tracing::warn!(chunk.rows = 64, "chunk \"late\""));
        assert!(lines[0].starts_with("{\"timestamp\":\"") && lines[0].ends_with('}'), "{}", lines[0]);
        for part in ["\"level\":\"WARN\"", "\"message\":\"chunk \\\"late\\\"\"", "\"chunk.rows\":64"] {
            assert!(lines[0].contains(part), "{part} in {}", lines[0]);
        }
    }

    #[test]
    fn lines_go_back_when_the_redirection_ends() {
        let output = LogOutput::default();
        let redirected = output.redirect(Arc::new(|_| {}));
        assert!(output.make_writer().0.is_some());
        drop(redirected);
        assert!(output.make_writer().0.is_none());
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = subscriber(Format::Human, "info,[", LogOutput::default()).err().unwrap();
        assert!(error.to_string().starts_with("`info,[` is no log filter"), "{error}");
    }
}
