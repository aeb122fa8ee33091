"""The tables of docs/SCALING.md: each case is a day of campaigns, simulated with many seeds."""

import os
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from statistics import median

from settings import Settings
from simulation import run

DOCS = Path(__file__).resolve().parents[2] / "docs" / "SCALING.md"
SEEDS = 20

POLICIES = (
    ("**wanted workers, and the queue** (recommended)", {}),
    ("the queue alone, a worker for each chunk", {"policy": "queue", "queue_value": 1}),
    ("the queue alone, a worker for 6 chunks", {"policy": "queue"}),
    ("utilisation of 80 %, never below one worker", {"policy": "utilisation", "min_workers": 1}),
    ("30 workers all day, the fewest that do", {"policy": "static"}),
    ("29 workers all day", {"policy": "static", "static_workers": 29}),
)

FORMULAS = (
    ("**twice the sum of the paces, or through the queue** (recommended)", {}),
    ("1.5 times the sum, or through the queue", {"headroom": 1.5}),
    ("the sum itself, or through the queue", {"headroom": 1.0}),
    ("twice the sum alone", {"formula": "paces alone"}),
    ("earliest deadline first", {"formula": "earliest"}),
    ("`scheduler.window` 512: recommended", {"window": 512, "queue_value": 40}),
    ("`scheduler.window` 512: twice the sum alone", {"window": 512, "queue_value": 40, "formula": "paces alone"}),
    ("days drawn at random: recommended", {"day": "drawn"}),
    ("days drawn at random: earliest deadline first", {"day": "drawn", "formula": "earliest"}),
)

# Two cores of a CPU as docs/BENCHMARKS.md measures them, with everything else in proportion.
MEASURED = {
    "tokens_per_second": 224.0,
    "chunk_tokens": 13_440,
    "max_workers": 180,
    "window": 360,
    "up_pods": 18,
    "queue_value": 6,
}
VARIATIONS = (
    ("nothing", {}),
    ("every campaign is first thought 30 % quicker than it is", {"bias": 0.7}),
    ("every campaign is first thought 30 % slower than it is", {"bias": 1.3}),
    ("every campaign is first thought twice as quick as it is", {"bias": 0.5}),
    ("every campaign is first thought half as quick as it is", {"bias": 2.0}),
    ("each fifth start waits ten minutes longer for its node", {"shortage": 0.2}),
    ("starts take ten minutes, and the formula knows", {"cold_start_s": 600, "start_s": 600}),
    ("starts take ten minutes, and the formula reckons with five", {"cold_start_s": 600}),
    ("`worker.grace_s` 30: workers hand back", {"grace_s": 30}),
    ("`scheduler.window` 256, 6 times the most workers", {"window": 256, "queue_value": 20}),
    ("`scheduler.window` 1600, 40 times the most workers", {"window": 1600, "queue_value": 120}),
    ("a worker for 2 chunks of the queue", {"queue_value": 2}),
    ("a worker for 20 chunks of the queue", {"queue_value": 20}),
    ("`stabilizationWindowSeconds` 600", {"stabilization_s": 600}),
    ("`cooldownPeriod` 120", {"cooldown_s": 120}),
    ("workers as measured, 224 tokens/s, at most 180 of them, chunks of a minute", MEASURED),
)


@dataclass
class Day:
    """What one simulated day came to, small enough to be passed between processes."""

    margins_min: dict
    idle_share: float
    gpu_hours: float
    most_workers: int
    turns: int
    not_done_once: int
    returned: int


def day(settings, seed):
    result = run(settings, seed)
    not_done_once = sum(chunk.times_done != 1 for chunk in result.chunks())
    return Day(result.margins_min(), result.idle_share(), result.gpu_hours(), result.most_workers(), result.turns(),
               not_done_once, result.fleet.returned)


@lru_cache(maxsize=None)
def days(settings, seeds=range(SEEDS)):
    """The same day with each of the seeds."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(partial(day, settings), seeds))


def blocks(base=Settings(), seeds=range(SEEDS)):
    """All tables by their names in the docs."""
    return {
        "policies": table("what decides", POLICIES, base, seeds),
        "formulas": table("wanted workers by", FORMULAS, base, seeds),
        "variations": table("what is different", VARIATIONS, base, seeds),
    }


def table(title, cases, base, seeds):
    lines = [f"| {title} | deadlines held | closest, min | idle GPU time | GPU-hours | most workers | turns |",
             "|---|---|---|---|---|---|---|"]
    for name, changes in cases:
        lines.append(row(name, days(replace(base, **changes), seeds)))
    return "\n".join(lines)


def row(name, results):
    margins = [margin for result in results for margin in result.margins_min.values()]
    held = f"{sum(margin >= 0 for margin in margins)} of {len(margins)}"
    idle = spread([100 * result.idle_share for result in results], " %")
    hours = spread([result.gpu_hours for result in results])
    workers = spread([result.most_workers for result in results])
    turns = spread([result.turns for result in results])
    return f"| {name} | {held} | {min(margins):.1f} | {idle} | {hours} | {workers} | {turns} |"


def spread(values, unit=""):
    """The median, and the smallest and largest where they differ from it."""
    low, middle, high = (f"{value:.0f}" for value in (min(values), median(values), max(values)))
    return f"{middle}{unit}" if low == high else f"{middle}{unit} ({low}–{high})"


def between(name):
    """Finds a table in the docs, between two comments."""
    return re.compile(rf"(?<=<!-- simulate.py --docs: {name} -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)


def write_docs():
    text = DOCS.read_text(encoding="utf-8")
    for name, block in blocks().items():
        text, count = between(name).subn(lambda _: block, text)
        if count != 1:
            raise SystemExit(f"{DOCS.name} has {count} places for the table {name}: it needs one")
    DOCS.write_text(text, encoding="utf-8")
