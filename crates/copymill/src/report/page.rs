//! The page: what was found, put into the template.

use anyhow::Context;
use copymill_campaign::{CampaignPhase, Outcome};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use super::pass::Findings;
use super::words::{duration, meaning, number, percent, plain, rate, time};
use super::{Subject, cards, charts, sections};

const TEMPLATE: &str = include_str!("report.html.j2");
const STYLE: &str = include_str!("report.css");

/// Renders the page.
pub(super) fn render(subject: &Subject, mut findings: Findings) -> anyhow::Result<String> {
    let mut environment = Environment::new();
    // Whatever the name of the template: every value is escaped unless we built it as markup.
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_template("report.html", TEMPLATE)?;
    let template = environment.get_template("report.html")?;
    let page = context! {
        style => Value::from_safe_string(STYLE.to_owned()),
        head => head(subject),
        figures => key_figures(subject, &findings),
        outcomes => outcomes(subject),
        reasons => sections::reasons(subject, &findings),
        work => sections::work(subject, &findings),
        attempts => sections::attempts(&findings),
        lengths => sections::lengths(&findings),
        variety => sections::variety(&mut findings),
        segments => sections::segments(&findings),
        is_sample => findings.messages_read < subject.manifest.totals.outcomes.total(),
        messages_read => number(findings.messages_read),
        groups => cards::groups(subject, findings.gallery),
    };
    template.render(page).context("the report could not be put together")
}

fn head(subject: &Subject) -> Value {
    let (campaign, manifest) = (&subject.campaign, &subject.manifest);
    let totals = &manifest.totals;
    let brief = &campaign.file.brief;
    context! {
        title => plain(&campaign.file.campaign),
        kind => plain(&campaign.file.kind),
        brand => brief.brand.as_str(),
        brief => brief.more.iter().map(|(key, value)| context! { key => plain(key), value => value.as_str() }).collect::<Vec<_>>(),
        language => campaign.file.language.as_str(),
        model => manifest.model.name.as_str(),
        model_sha256 => manifest.model.sha256.as_str(),
        id => manifest.campaign.as_str(),
        accepted => time(&manifest.accepted_at),
        finished => time(&manifest.finished_at),
        duration => duration(manifest.active_s),
        messages => number(totals.outcomes.generated + totals.outcomes.fallback),
        recipients => number(manifest.rows),
        variants => manifest.variants,
        state => (manifest.state != CampaignPhase::Completed).then(|| manifest.state.as_str()),
        unfinished => number(totals.unfinished),
    }
}

fn key_figures(subject: &Subject, findings: &Findings) -> Value {
    let (manifest, outcomes) = (&subject.manifest, &subject.manifest.totals.outcomes);
    let tried: u64 = findings.figures.attempts.values().sum();
    let first = findings.figures.attempts.get(&1).copied().unwrap_or(0);
    let failed_first = findings.figures.failed_first;
    let worked = outcomes.generated + outcomes.fallback + outcomes.rejected;
    let figure = |value: String, label: &str| context! { value, label };
    Value::from(vec![
        figure(percent(outcomes.generated, outcomes.total()), "written and passed every check"),
        figure(percent(first.saturating_sub(failed_first), tried), "passed at the first attempt"),
        figure(rate(worked, manifest.active_s), "messages a second"),
        figure(
            percent(findings.figures.distinct.count(), findings.figures.copies),
            "of the copy is distinct",
        ),
    ])
}

fn outcomes(subject: &Subject) -> Value {
    let totals = &subject.manifest.totals;
    let counts = Outcome::ALL.map(|outcome| (outcome, totals.outcomes.get(outcome)));
    let all = totals.outcomes.total() + totals.unfinished;
    let mut parts: Vec<_> = counts.iter().map(|(outcome, count)| (outcome.as_str(), *count)).collect();
    parts.push(("unfinished", totals.unfinished));
    let rows = counts.map(|(outcome, count)| {
        context! {
            class => outcome.as_str(),
            name => plain(outcome.as_str()),
            count => number(count),
            is_none => count == 0,
            share => percent(count, all),
            meaning => meaning(outcome),
        }
    });
    context! { chart => charts::stacked(&parts), rows => rows.to_vec(), total => number(all) }
}
