"""Overview: do campaigns move, will they be in time, is what they write good."""

from .panels import dashboard, series, stat, steps
from .promql import largest, of_model, planned, rate, scheduler, total, worker

ALERTS = 'count(ALERTS{alertname=~"Copymill.*",alertstate="firing",namespace=~"$namespace"}) or vector(0)'
ACTIVE = "~planning|pilot|running|finishing"
TRIED = "~generated|fallback|rejected"

# Without a deadline the margin is infinite, which no axis shows. Those who stand by know no margins.
LEADING = f"on (namespace, instance) ({scheduler('leader')} == 1)"
MARGIN = f"{planned('deadline_margin_seconds')} and {LEADING}"
WEEK_S = 604800


def reject_share(window, *labels):
    rejected = total(of_model(rate(worker("messages_total", outcome="rejected"), window), window), *labels)
    tried = total(of_model(rate(worker("messages_total", outcome=TRIED), window), window), *labels)
    return f"{rejected} / {tried}"


DASHBOARD = dashboard(
    "overview",
    "Overview",
    "Do campaigns move, will they be in time, and is what they write good?",
    ("", [
        stat("Alerts firing", "Good: 0. Each alert has a section in the runbook.", "short",
             ALERTS, steps("green", (1, "red"))),
        stat("Campaigns at work", "Campaigns that are planned, generated or finished at the moment.", "short",
             total(scheduler("campaigns", state=ACTIVE))),
        stat("Awaiting approval", "Good: 0. A pilot is done and somebody must look at it: copymill results, then approve.",
             "short", total(scheduler("campaigns", state="awaiting_approval")), steps("green", (1, "orange"))),
        stat("Messages per second", "Good: above 0 while there is a backlog.", "suffix: /s",
             total(of_model(rate(worker("messages_total")))), decimals=1),
        stat("Rejected", "Share of messages that passed no check and have no fallback, over 30 minutes. Good: below 2 %.",
             "percentunit", reject_share("30m"), steps("green", (0.02, "orange"), (0.05, "red")), decimals=1),
        stat("Late campaigns", "Campaigns forecast to miss their deadline. Good: 0.", "short",
             total(largest(planned("late_campaigns"), "namespace", "model")), steps("green", (1, "red"))),
        stat("Smallest margin", "Time between forecast finish and deadline of the campaign that is worst off; a week where "
             "none has a deadline. Good: above 30 minutes.", "s",
             f"clamp_max(min({MARGIN}), {WEEK_S})", steps("red", (0, "orange"), (1800, "green")), decimals=1),
        stat("Workers missing", "Workers that deadlines need and that are not there. Good: 0, but for the minutes in which "
             "they start.", "short",
             f"sum(clamp_min(ceil({largest(planned('wanted_workers'), 'namespace', 'model')}) - "
             f"{largest(planned('workers'), 'namespace', 'model')}, 0))", steps("green", (1, "orange"))),
    ]),
    ("Progress", [
        series("Messages by outcome", "Good: mostly generated, and above 0 while there is a backlog.", "suffix: /s",
               (total(of_model(rate(worker("messages_total"))), "outcome"), "{{outcome}}"), stack=True),
        series("Campaigns by state", "Ended ones count since the scheduler began to lead. Good: none failed.", "short",
               (total(scheduler("campaigns"), "state"), "{{state}}"), stack=True),
        series("Chunks by state", "Good: enough are published to keep every worker busy.", "short",
               (total(scheduler("chunks"), "state"), "{{state}}")),
    ]),
    ("Deadlines", [
        series("Margin by model", "Forecast finish against deadline; a week means a week or more, or no deadline. "
               "Good: above the line at 0.", "s",
               (f"clamp_max(min by (model) ({MARGIN}), {WEEK_S})", "{{model}}"),
               limits=steps("red", (0, "green")), minimum=None),
        series("Backlog in messages", "Good: falling while no campaign is submitted.", "short",
               (largest(planned("backlog_messages"), "model"), "{{model}}")),
        series("Backlog in GPU-seconds", "Predicted time of one GPU for all that is left; what workers are scaled on.", "s",
               (largest(planned("backlog_gpu_seconds"), "model"), "{{model}}")),
        series("Workers wanted and present", "Good: present follows wanted within the minutes that a worker needs to start.",
               "short",
               (largest(planned("wanted_workers"), "model"), "{{model}} wanted"),
               (largest(planned("workers"), "model"), "{{model}} present")),
        series("Late campaigns by model", "Good: 0.", "short",
               (largest(planned("late_campaigns"), "model"), "{{model}}")),
        series("Backlog in tokens", "Tokens that are left to generate.", "short",
               (largest(planned("backlog_tokens"), "model"), "{{model}}")),
    ]),
    ("Quality and intake", [
        series("Rejected by kind", "Share of messages that passed no check and have no fallback. Good: below the line.",
               "percentunit", (reject_share("$__rate_interval", "kind"), "{{kind}}"),
               limits=steps("green", (0.05, "red")), maximum=1),
        series("Rows planned", "Rows of audiences that were cut into chunks. Good: well above messages per second until a "
               "campaign is planned.", "suffix: /s", (total(rate(scheduler("planned_rows_total"))), "rows")),
        series("Requests to the HTTP interface", "Good: no 5xx.", "reqps",
               (total(rate(scheduler("http_requests_total")), "status"), "{{status}}"), stack=True),
    ]),
)
