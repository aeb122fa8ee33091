"""A day of campaigns: what is accepted when, how much work it is, and when it has to be done."""

import math
import random
from dataclasses import dataclass

HOUR_S = 3600
DAY_S = 24 * HOUR_S


@dataclass
class Order:
    """One campaign as it is submitted; `deadline_s` is counted from midnight, as `accepted_s` is."""

    name: str
    accepted_s: float
    tokens: float
    deadline_s: float | None = None


# name, accepted at, minutes until the deadline, millions of tokens. A message of 100 tokens makes the nightly campaign
# one of two million recipients.
PLAN = (
    ("nightly", "00:20", 340, 200.0),
    ("urgent at night", "03:10", 30, 3.0),
    ("breakfast offer", "07:00", 30, 5.0),
    ("flash sale", "07:40", 45, 8.0),
    ("restock note", "08:30", 30, 3.0),
    ("tight", "09:45", 60, 85.0),
    ("no deadline", "11:30", None, 20.0),
    ("reactivation", "12:30", 360, 90.0),
    ("burst 1", "14:00", 90, 22.0),
    ("burst 2", "14:05", 60, 14.0),
    ("burst 3", "14:15", 120, 30.0),
    ("burst 4", "14:30", 45, 7.0),
    ("burst 5", "14:35", 150, 25.0),
    ("evening note", "19:30", None, 6.0),
)


def orders(settings, seed):
    return drawn(settings, seed) if settings.day == "drawn" else planned(seed)


def planned(seed):
    """The plan, with times moved by up to ten minutes and sizes by up to a quarter."""
    rng = random.Random(f"orders {seed}")
    day = []
    for name, time, minutes, millions in PLAN:
        accepted_s = clock_s(time) + rng.uniform(-600, 600)
        deadline_s = None if minutes is None else accepted_s + 60 * minutes
        day.append(Order(name, accepted_s, millions * 1e6 * rng.uniform(0.75, 1.25), deadline_s))
    return sorted(day, key=lambda order: order.accepted_s)


def drawn(settings, seed):
    """Fourteen campaigns at any time, most with 25 minutes to 6 hours, scaled so that their peak is `settings.peak`."""
    rng = random.Random(f"drawn {seed}")
    day = []
    for number in range(1, 15):
        accepted_s = rng.uniform(0, 20 * HOUR_S)
        allowed_s = 1500 * math.exp(rng.uniform(0, math.log(14.4)))
        deadline_s = None if rng.random() < 0.15 else accepted_s + allowed_s
        tokens = settings.tokens_per_second * (allowed_s - settings.start_s) * rng.uniform(1, 35)
        day.append(Order(f"campaign {number}", accepted_s, tokens, deadline_s))
    scale = settings.peak / peak(settings, day)
    for order in day:
        order.tokens *= scale
    return sorted(day, key=lambda order: order.accepted_s)


def clock_s(time):
    hours, minutes = time.split(":")
    return int(hours) * HOUR_S + int(minutes) * 60


def peak(settings, day):
    """The largest share of the most workers that the campaigns of a moment need together, each at its own pace.

    This is what sharing by weight can hold: below 1 a fleet that is there holds all deadlines, if it shares well.
    """
    paces = [(order, pace(settings, order)) for order in day]
    moments = [order.accepted_s for order in day]
    needed = (sum(workers for order, workers in paces if order.accepted_s <= now_s < due_s(settings, order))
              for now_s in moments)
    return max(needed) / settings.max_workers


def pace(settings, order):
    """Workers that finish a campaign just in time, if they start when it is accepted."""
    time_s = due_s(settings, order) - order.accepted_s - settings.start_s
    return order.tokens / settings.tokens_per_second / time_s


def due_s(settings, order):
    return order.accepted_s + settings.horizon_s if order.deadline_s is None else order.deadline_s
