//! The command line as a whole: which commands there are, and what happens around each of them.

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};

use crate::{
    commands::{
        bench, cluster, generate, init, kinds, models, preview, report, run, schema, validate, verify,
    },
    exit::{self, Exit},
    output,
    settings::{ENVIRONMENT, Settings},
};

/// Turns a brief and a list of recipients into checked, personalised messages, on your own hardware.
#[derive(Parser)]
#[command(name = "copymill", version)]
#[command(
    help_template = "{about}\n\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}{after-help}"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Init),
    Validate(validate::Validate),
    Preview(preview::Preview),
    Run(run::Run),
    Verify(verify::Verify),
    Report(report::Report),
    Generate(generate::Generate),
    Kinds(kinds::Kinds),
    Models(models::Models),
    Schema(schema::SchemaCommand),
    Bench(bench::Bench),
    Submit(cluster::submit::Submit),
    Status(cluster::status::Status),
    List(cluster::list::List),
    Pause(cluster::order::Pause),
    Resume(cluster::order::Resume),
    Cancel(cluster::order::Cancel),
    Approve(cluster::order::Approve),
    RetryRejected(cluster::order::RetryRejected),
    Results(cluster::results::Results),
    DeadLetters(cluster::dead_letters::DeadLetters),
}

/// The commands in the order of a campaign's life.
const GROUPS: [(&str, &[&str]); 5] = [
    ("A campaign", &["init", "validate", "preview", "run"]),
    (
        "On a cluster",
        &[
            "submit",
            "status",
            "list",
            "pause",
            "resume",
            "cancel",
            "approve",
            "retry-rejected",
            "results",
            "dead-letters",
        ],
    ),
    ("What it wrote", &["verify", "report"]),
    ("Without a campaign", &["generate"]),
    ("To look up", &["kinds", "models", "schema", "bench"]),
];

const EXIT_CODES: [(&str, &str); 4] = [
    ("0", "done"),
    ("1", "it could not be done, or what was looked at is not in order"),
    ("64", "the command line, the campaign or a file it names has to be changed first"),
    ("130", "stopped by Ctrl-C or SIGTERM before it was done; the same command continues"),
];

/// How long what is under way is waited for at the end.
const SHUTDOWN: std::time::Duration = std::time::Duration::from_secs(2);

/// Runs the command that the arguments ask for.
pub(crate) fn main() -> Exit {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return if is_help(error.kind()) { Exit::Done } else { Exit::Usage };
        }
    };
    let ended = Cli::from_arg_matches(&matches).map_err(anyhow::Error::from).and_then(|cli| {
        let settings = Settings::from_environment()?;
        dispatch(cli.command, &settings)
    });
    ended.unwrap_or_else(|error| {
        output::error(&error);
        exit::code_of(&error)
    })
}

fn dispatch(command: Command, settings: &Settings) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        match command {
            Command::Init(command) => command.execute(settings).await,
            Command::Validate(command) => command.execute(settings).await,
            Command::Preview(command) => command.execute(settings).await,
            Command::Run(command) => command.execute(settings).await,
            Command::Verify(command) => command.execute().await,
            Command::Report(command) => command.execute().await,
            Command::Generate(command) => command.execute(settings).await,
            Command::Kinds(command) => command.execute(),
            Command::Models(command) => command.execute(settings).await,
            Command::Schema(command) => command.execute(),
            Command::Bench(command) => command.execute(settings).await,
            Command::Submit(command) => command.execute(settings).await,
            Command::Status(command) => command.execute().await,
            Command::List(command) => command.execute().await,
            Command::Pause(command) => command.execute().await,
            Command::Resume(command) => command.execute().await,
            Command::Cancel(command) => command.execute().await,
            Command::RetryRejected(command) => command.execute().await,
            Command::Approve(command) => command.execute().await,
            Command::Results(command) => command.execute().await,
            Command::DeadLetters(command) => command.execute().await,
        }
    });
    // The engine's thread has to end before the process does, or it computes with what is being torn down. Threads that
    // read a large file or wait for a disk must not hold up an end that was asked for.
    runtime.shutdown_timeout(SHUTDOWN);
    ended
}

fn is_help(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
}

/// The command with its overview, whose lines come from the commands themselves.
fn command() -> clap::Command {
    let command = Cli::command();
    let overview = overview(&command);
    command.before_help(overview).after_help(notes())
}

fn overview(command: &clap::Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        text.push_str(&format!("{title}:\n"));
        for name in names {
            let about = command.find_subcommand(name).and_then(|found| found.get_about());
            let about = about.map(ToString::to_string).unwrap_or_default();
            text.push_str(&output::item(name, 12, about));
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

fn notes() -> String {
    let list = |title: &str, items: &[(&str, &str)], width: usize| {
        let lines: Vec<String> = items.iter().map(|(name, text)| output::item(name, width, text)).collect();
        format!("{title}:\n{}", lines.join("\n"))
    };
    format!(
        "{}\n\n{}\n\n`copymill help COMMAND` explains a command and shows an example.",
        list("Exit codes", &EXIT_CODES, 3),
        list("Environment", &ENVIRONMENT, 19),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_in_one_group_and_explains_itself() {
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for subcommand in Cli::command().get_subcommands() {
            let name = subcommand.get_name();
            assert_eq!(grouped.iter().filter(|grouped| **grouped == name).count(), 1, "{name}");
            assert!(
                subcommand.get_about().is_some_and(|about| !about.to_string().is_empty()),
                "{name}: one line"
            );
            assert!(subcommand.get_long_about().is_some(), "{name}: a paragraph");
            let has_commands = subcommand.has_subcommands();
            let example = subcommand.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(has_commands || example.contains(&format!("copymill {name}")), "{name}: an example");
        }
        assert_eq!(grouped.len(), Cli::command().get_subcommands().count());
    }
}
