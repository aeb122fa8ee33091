"""Runs a day: campaigns come, the autoscaler decides, workers work, and what it came to is counted."""

import random
from dataclasses import dataclass
from math import fsum

from autoscaler import Autoscaler
from day import DAY_S, HOUR_S, orders
from fleet import Fleet
from formula import wanted_workers
from settings import POLL_S, STEP_S
from window import Campaign, Chunk, Window


@dataclass
class Moment:
    """What there was at one moment."""

    now_s: float
    wanted: float
    replicas: int
    working: int
    starting: int
    left_s: float
    queue_length: int


@dataclass
class Result:
    """A day that is over."""

    settings: object
    campaigns: list
    fleet: Fleet
    moments: list
    changes: list

    def margins_min(self):
        """Minutes between the end of each campaign and its deadline; negative ones were late."""
        due = (campaign for campaign in self.campaigns if campaign.order.deadline_s is not None)
        return {c.order.name: (c.order.deadline_s - c.finished_s) / 60 for c in due}

    def idle_share(self):
        """GPU time that was paid for and brought no finished chunk: starting, waiting, work that was handed back."""
        return 1 - self.fleet.useful_s / self.fleet.paid_s

    def gpu_hours(self):
        return self.fleet.paid_s / HOUR_S

    def most_workers(self):
        return max(moment.replicas for moment in self.moments)

    def turns(self):
        """How often the fleet began to shrink after it grew, or to grow after it shrank."""
        pairs = zip(self.changes, self.changes[1:])
        return sum(before[1] * after[1] < 0 for before, after in pairs)

    def chunks(self):
        return [chunk for campaign in self.campaigns for chunk in campaign.chunks]


def run(settings, seed, day=None):
    """Simulates a day, and goes on until all is done and, where it goes to zero, no worker is left."""
    rng = random.Random(f"run {seed}")
    coming = list(orders(settings, seed) if day is None else day)
    window, fleet, autoscaler = Window(settings.window), Fleet(settings, seed), Autoscaler(settings)
    result = Result(settings, [], fleet, [], [])
    to_zero = settings.min_workers == 0 and settings.policy in ("deadline", "queue")
    if settings.policy == "static":
        fleet.scale_to(settings.static_workers, -DAY_S)
    now_s = 0
    while now_s < DAY_S or window.campaigns or (to_zero and fleet.workers):
        now_s += STEP_S
        while coming and coming[0].accepted_s <= now_s:
            campaign = plan(coming.pop(0), settings, rng)
            result.campaigns.append(campaign)
            window.join(campaign)
        fleet.step(window, now_s, STEP_S)
        for campaign in window.campaigns:
            campaign.look(now_s, STEP_S)
        window.refill()
        fleet.take(window, now_s)
        if now_s % POLL_S == 0:
            poll(result, window, autoscaler, now_s)
    return result


def plan(order, settings, rng):
    """Cuts a campaign into chunks of about `chunk_tokens`."""
    bias = rng.uniform(0.7, 1.3) if settings.bias is None else settings.bias
    campaign = Campaign(order, bias)
    tokens = order.tokens
    while tokens > 0:
        size = min(settings.chunk_tokens * rng.uniform(0.75, 1.25), tokens)
        campaign.chunks.append(Chunk(campaign, size / settings.tokens_per_second))
        tokens -= size
    campaign.waiting.extend(campaign.chunks)
    return campaign


def poll(result, window, autoscaler, now_s):
    fleet = result.fleet
    wanted = wanted_workers(window.campaigns, now_s, result.settings)
    before = fleet.replicas()
    # The broker's length counts the chunks in workers' hands, as KEDA's `protocol: http` does.
    target = autoscaler.replicas(fleet, window.outstanding, wanted, now_s)
    if target != before:
        fleet.scale_to(target, now_s)
        result.changes.append((now_s, target - before))
    left_s = fsum(campaign.left() * campaign.mean_s for campaign in window.campaigns)
    result.moments.append(Moment(now_s, wanted, fleet.replicas(), fleet.working(), fleet.starting(now_s), left_s,
                                 window.outstanding))
