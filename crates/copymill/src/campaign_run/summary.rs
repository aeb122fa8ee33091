//! The end of a run: what came out, where it is, and what to do next.

use std::{env, path::Path};

use copymill_campaign::{Manifest, Outcome, OutcomeCounts};

use crate::output::{self, GOOD, QUIET, STRONG, WARNING};

/// Reject reasons shown at most; the report has all of them.
const REASONS_SHOWN: usize = 6;

/// What the summary proposes, as paths that the user can type.
pub(crate) struct NextSteps<'a> {
    /// The campaign file.
    pub(crate) campaign: &'a Path,
    /// The output folder.
    pub(crate) output: &'a Path,
}

/// Prints the summary of a completed campaign.
pub(crate) fn print_summary(manifest: &Manifest, next: &NextSteps<'_>) {
    let outcomes = &manifest.totals.outcomes;
    output::line(format_args!(
        "{STRONG}{}{STRONG:#}: {} for {}",
        manifest.name,
        output::counted(outcomes.total(), "message"),
        output::counted(manifest.rows, "recipient"),
    ));
    for outcome in Outcome::ALL.into_iter().filter(|outcome| outcomes.get(*outcome) > 0) {
        output::line(outcome_line(outcomes, outcome));
    }
    print_reasons(manifest);
    let tokens = &manifest.totals.tokens;
    output::line(format_args!(
        "  in {}: {} messages/s, {} tokens/s; {} of the prompts was shared",
        output::duration(manifest.active_s),
        output::rate(outcomes.total() as f64 / manifest.active_s.max(0.001)),
        output::rate(tokens.generated as f64 / manifest.active_s.max(0.001)),
        percent(tokens.reused, tokens.prompt),
    ));
    output::line(format_args!("  in {}; its report.html shows them", next.output.display()));
    output::line("");
    output::line("Try next:");
    for command in commands(next) {
        output::line(format_args!("  {command}"));
    }
}

fn outcome_line(outcomes: &OutcomeCounts, outcome: Outcome) -> String {
    let style = if outcome == Outcome::Generated { GOOD } else { WARNING };
    let (count, name) = (output::count(outcomes.get(outcome)), outcome.as_str());
    let share = percent(outcomes.get(outcome), outcomes.total());
    format!("  {style}{count:>9}{style:#} {name} {QUIET}({share}){QUIET:#}")
}

/// Failed checks count attempts: a message may have failed several before it passed.
fn print_reasons(manifest: &Manifest) {
    let mut reasons: Vec<_> = manifest.totals.reasons.iter().collect();
    reasons.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), code.as_str()));
    if reasons.is_empty() {
        return;
    }
    let shown: Vec<String> = reasons
        .iter()
        .take(REASONS_SHOWN)
        .map(|(code, count)| format!("{} {code}", output::count(**count)))
        .collect();
    let more = reasons.len().saturating_sub(REASONS_SHOWN);
    let more = if more > 0 { format!(" and {more} more in the report") } else { String::new() };
    output::line(format_args!("  failed checks over all attempts: {}{more}", shown.join(", ")));
}

/// Three commands that work as printed.
fn commands(next: &NextSteps<'_>) -> [String; 3] {
    let program = command_name();
    let (campaign, output) = (shell_word(next.campaign), shell_word(next.output));
    let report = shell_word(&next.output.join("report.html"));
    let open = ["xdg-open", "open"].into_iter().find(|name| can_open(name));
    let first = match open {
        Some(open) => format!("{open} {report}"),
        None => format!("{program} preview {campaign} -n 3"),
    };
    let second = format!("{program} verify {output}");
    [first, second, format!("{program} kinds")]
}

/// Whether there is a program of that name and a screen for it.
fn can_open(name: &str) -> bool {
    let has_screen = cfg!(target_os = "macos")
        || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some());
    let path = env::var_os("PATH").unwrap_or_default();
    has_screen && env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// The program as the user called it.
pub(crate) fn command_name() -> String {
    let called = env::args().next().unwrap_or_default();
    if called.contains('/') { shell_word(Path::new(&called)) } else { "copymill".into() }
}

/// A path as one word of a shell's command line.
pub(crate) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@=%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_words_of_a_shell() {
        assert_eq!(shell_word(Path::new("examples/spring-sale/out/")), "examples/spring-sale/out/");
        assert_eq!(shell_word(Path::new("my campaign/it's.yaml")), r"'my campaign/it'\''s.yaml'");
    }

    #[test]
    fn shares_survive_an_empty_whole() {
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(0, 0), "0.0 %");
    }
}
