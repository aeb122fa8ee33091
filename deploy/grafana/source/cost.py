"""Cost: GPU-seconds and money per 1,000 messages, and what is paid for without use.

One worker holds one GPU (on the CPU, its share of a machine), busy or not, from when it has its model to its end.
Messages are those that can be sent: generated ones and fallbacks.
"""

from .panels import dashboard, series, stat, steps, text_variable
from .promql import MODELS, by_model, increase, of_model, rate, total, worker

SENDABLE = worker("messages_total", outcome="~generated|fallback")
USED = worker("decode_seconds_total")
TOKENS = worker("generation_tokens_total")
# Adds up the workers that were there every 30 seconds, which is right also where there were none for hours.
HELD = f"(sum_over_time(count({MODELS})[$__range:30s]) * 30)"
WINDOW = "15m"
HELD_BY_MODEL = f"(sum_over_time(count by (model) ({MODELS})[{WINDOW}:30s]) / 30)"
MONEY_RATE = "$price / 3600"

MESSAGES = total(of_model(increase(SENDABLE), "$__range"))
USED_TOTAL = total(of_model(increase(USED), "$__range"))
UTILISATION = steps("red", (0.4, "orange"), (0.7, "green"))


def recent(counter):
    return by_model(rate(counter, WINDOW), WINDOW)


DASHBOARD = dashboard(
    "cost",
    "Cost",
    "What do 1,000 messages cost, and what is paid for without use? Stats are over the time range of the dashboard.",
    ("", [
        stat("Money per 1,000 messages", "In the currency of the price above, idle time included. Good: near that of GPU time "
             "used.", "short", f"1000 * {HELD} * {MONEY_RATE} / {MESSAGES}", width=4, decimals=3),
        stat("GPU-seconds used per 1,000", "Time in which engines decoded. Good: steady for a model and kind.", "s",
             f"1000 * {USED_TOTAL} / {MESSAGES}", width=4, decimals=1),
        stat("GPU-seconds held per 1,000", "Time in which workers were there. Good: near what is used.", "s",
             f"1000 * {HELD} / {MESSAGES}", width=4, decimals=1),
        stat("Used of held", "Share of paid time in which engines decoded. Good: above 70 %; else scale down sooner.",
             "percentunit", f"{USED_TOTAL} / {HELD}", UTILISATION, width=4, decimals=0),
        stat("Money", "All GPU time held in the time range.", "short", f"{HELD} * {MONEY_RATE}", width=4, decimals=2),
        stat("Messages", "Messages that can be sent: generated ones and fallbacks.", "short", MESSAGES, width=4, decimals=0),
    ]),
    ("Over time, in windows of 15 minutes", [
        series("Money per 1,000 messages", "Held time at the price above. Good: steady; it rises where workers idle.", "short",
               (f"1000 * {HELD_BY_MODEL} * {MONEY_RATE} / {recent(SENDABLE)}", "{{model}}")),
        series("GPU-seconds per 1,000 messages", "Good: held is near used.", "s",
               (f"1000 * {recent(USED)} / {recent(SENDABLE)}", "{{model}} used"),
               (f"1000 * {HELD_BY_MODEL} / {recent(SENDABLE)}", "{{model}} held")),
        series("Used of held", "Good: above 70 % while there is a backlog.", "percentunit",
               (f"{recent(USED)} / {HELD_BY_MODEL}", "{{model}}"), maximum=1),
        series("Tokens per GPU-second", "Of held time and of used time. Good: steady; a fall of used means smaller batches.",
               "short", (f"{recent(TOKENS)} / {recent(USED)}", "{{model}} used"),
               (f"{recent(TOKENS)} / {HELD_BY_MODEL}", "{{model}} held")),
        series("GPUs held and used", "Good: held falls to the minimum after the last campaign.", "short",
               (HELD_BY_MODEL, "{{model}} held"), (recent(USED), "{{model}} used")),
        series("Tokens per message", "All attempts together, rejected messages included. Good: steady for a kind.", "short",
               (f"{recent(TOKENS)} / {recent(SENDABLE)}", "{{model}}")),
    ]),
    since="now-24h",
    extra_variables=[text_variable("price", "Price of a GPU-hour", "2")],
)
