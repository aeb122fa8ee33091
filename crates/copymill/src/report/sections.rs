//! Sections of the page: figures with their charts.

use minijinja::{Value, context};

use super::copy_text::mask;
use super::pass::Findings;
use super::reasons::sentence;
use super::words::{number, percent, plain, rate};
use super::{Subject, charts};

/// Reasons that are shown; the rest is summed up.
const REASONS_SHOWN: usize = 12;
/// Openings that are shown per field.
const OPENINGS_SHOWN: usize = 15;
/// Segments that are shown, those with most recipients first.
const SEGMENTS_SHOWN: usize = 25;

/// Failed checks by code, most frequent first.
pub(super) fn reasons(subject: &Subject, findings: &Findings) -> Value {
    let mut reasons: Vec<(&String, u64)> =
        subject.manifest.totals.reasons.iter().map(|(code, count)| (code, *count)).collect();
    reasons.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let longest = reasons.first().map_or(0, |(_, count)| *count);
    let total: u64 = reasons.iter().map(|(_, count)| count).sum();
    let hidden: u64 = reasons.iter().skip(REASONS_SHOWN).map(|(_, count)| count).sum();
    let rows = reasons.iter().take(REASONS_SHOWN).map(|(code, count)| {
        let example = findings.figures.examples.get(*code);
        let meaning =
            sentence(code).map(str::to_owned).or_else(|| example.map(|text| format!("For example: {text}")));
        context! {
            code => code.as_str(),
            meaning => meaning.unwrap_or_else(|| plain(code)),
            count => number(*count),
            bar => charts::bar("reason", *count, longest),
        }
    });
    context! { rows => rows.collect::<Vec<_>>(), total => number(total), hidden => (hidden > 0).then(|| number(hidden)) }
}

/// Tokens and time.
pub(super) fn work(subject: &Subject, findings: &Findings) -> Value {
    let manifest = &subject.manifest;
    let (tokens, outcomes) = (&manifest.totals.tokens, &manifest.totals.outcomes);
    let copies = findings.figures.attempts.values().sum::<u64>().max(1);
    let row = |label: &str, value: String, note: String| context! { label, value, note };
    let computed = tokens.prompt.saturating_sub(tokens.reused);
    let worked = outcomes.generated + outcomes.fallback + outcomes.rejected;
    let attempts: u64 =
        findings.figures.attempts.iter().map(|(attempt, count)| u64::from(*attempt) * count).sum();
    Value::from(vec![
        row(
            "Prompt tokens",
            number(tokens.prompt),
            format!("{} were shared instead of computed", percent(tokens.reused, tokens.prompt)),
        ),
        row("Prompt tokens computed", number(computed), "what the shared prefix left to do".into()),
        row(
            "Written tokens",
            number(tokens.generated),
            format!("{} were forced by the form of the answer", percent(tokens.forced, tokens.generated)),
        ),
        row(
            "Written tokens a second",
            rate(tokens.generated, manifest.active_s),
            "over the whole time, checks and rendering included".into(),
        ),
        row("Messages a second", rate(worked, manifest.active_s), "finished, checked and rendered".into()),
        row(
            "Attempts for a copy",
            format!("{:.2}", attempts as f64 / copies as f64),
            "on average; one is the least".into(),
        ),
    ])
}

/// How many attempts copies took.
pub(super) fn attempts(findings: &Findings) -> Value {
    let attempts = &findings.figures.attempts;
    let (total, longest) = (attempts.values().sum(), attempts.values().copied().max().unwrap_or(0));
    let row = |(attempt, count): (&u32, &u64)| {
        let label = if *attempt == 1 { "1 attempt".to_owned() } else { format!("{attempt} attempts") };
        context! { label, count => number(*count), share => percent(*count, total), bar => charts::bar("ink", *count, longest) }
    };
    attempts.iter().map(row).collect()
}

/// How long the fields are, against their limits.
pub(super) fn lengths(findings: &Findings) -> Value {
    let rows = findings.figures.lengths.iter().filter_map(|lengths| {
        let (median, longest) = lengths.median_and_longest()?;
        Some(context! {
            field => plain(&lengths.field),
            limit => number(lengths.limit),
            median => number(median),
            longest => number(longest),
            chart => charts::histogram(&lengths.counts, lengths.limit),
        })
    });
    rows.collect()
}

/// How varied the copy is.
pub(super) fn variety(findings: &mut Findings) -> Value {
    let ratio = findings.figures.compression();
    let figures = &findings.figures;
    let openings = figures.openings.iter().filter(|openings| openings.total > 0).map(|openings| {
        let top = openings.top(OPENINGS_SHOWN);
        let longest = top.first().map_or(0, |(_, count)| *count);
        let rows = top.iter().map(|(words, count)| {
            context! { words => *words, share => percent(*count, openings.total), count => number(*count), bar => charts::bar("ink", *count, longest) }
        });
        context! { field => plain(&openings.field), different => number(openings.counts.len() as u64), rows => rows.collect::<Vec<_>>() }
    });
    context! {
        copies => number(figures.copies),
        distinct => number(figures.distinct.count()),
        share => percent(figures.distinct.count(), figures.copies),
        is_exact => figures.distinct.is_exact(),
        ratio => format!("{ratio:.1}"),
        openings => openings.collect::<Vec<_>>(),
    }
}

/// The largest segments.
pub(super) fn segments(findings: &Findings) -> Value {
    let mut segments: Vec<_> = findings.segments.iter().collect();
    segments.sort_by_key(|(_, figures)| std::cmp::Reverse(figures.messages.total()));
    let rows = segments.iter().take(SEGMENTS_SHOWN).map(|(key, figures)| {
        let total = figures.messages.total();
        context! {
            name => key.replace('|', " · "),
            messages => number(total),
            generated => percent(figures.messages.generated, total),
            attempts => format!("{:.1}", figures.attempts as f64 / figures.copies.max(1) as f64),
            example => mask(&figures.example),
        }
    });
    context! { rows => rows.collect::<Vec<_>>(), count => number(segments.len() as u64), has_more => segments.len() > SEGMENTS_SHOWN }
}
