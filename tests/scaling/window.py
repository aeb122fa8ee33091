"""The scheduler's side: the window that campaigns share by weight and deadline, and what it predicts.

The same rules as in `crates/copymill-scheduler/src/window.rs` and `lead/pace.rs`, so that the simulated queue has the
order of the real one.
"""

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from math import fsum

URGENCY_MAX = 10.0
AIM = 0.8
# Chunks that count as much as the first guess of a campaign's speed: after ten, half of its error is gone.
GUESS_CHUNKS = 10


@dataclass
class Chunk:
    """The unit of work, and how long a worker takes for it."""

    campaign: "Campaign"
    seconds: float
    times_done: int = 0


@dataclass
class Campaign:
    """A campaign under way; `waiting` are the chunks that are not published."""

    order: object
    bias: float
    chunks: list = field(default_factory=list)
    waiting: deque = field(default_factory=deque)
    published: int = 0
    done: int = 0
    finished_s: float | None = None
    virtual_time: float = 0.0
    urgency: float = 1.0
    looked_done: int = 0

    def left(self):
        return len(self.chunks) - self.done

    @cached_property
    def mean_s(self):
        return fsum(chunk.seconds for chunk in self.chunks) / len(self.chunks)

    def predicted_s(self, chunks):
        """GPU-seconds that the scheduler believes some of its chunks take: the guess fades as chunks are measured."""
        error = (GUESS_CHUNKS * self.bias + self.done) / (GUESS_CHUNKS + self.done)
        return chunks * self.mean_s * error

    def look(self, now_s, passed_s):
        """`urgency` of pace.rs."""
        if self.order.deadline_s is None:
            return
        rate = (self.done - self.looked_done) / passed_s
        self.looked_done = self.done
        time_left_s = self.order.deadline_s - now_s
        if time_left_s <= 0:
            self.urgency = URGENCY_MAX
            return
        needed = self.left() / (AIM * time_left_s)
        growth = min(max(needed / rate, 0.5), 2.0) if rate > 0 else 2.0
        self.urgency = min(max(self.urgency * growth, 1.0), URGENCY_MAX)


class Window:
    """How many chunks are published at once, and whose they are."""

    def __init__(self, places):
        self.places = places
        self.queue = deque()
        self.outstanding = 0
        self.campaigns = []

    def join(self, campaign):
        """A campaign starts level with the one that is furthest behind."""
        campaign.virtual_time = min((other.virtual_time for other in self.campaigns), default=0.0)
        self.campaigns.append(campaign)

    def refill(self):
        """Publishes as long as there are places: the next is the campaign that is furthest behind."""
        wanting = [campaign for campaign in self.campaigns if campaign.waiting]
        while wanting and self.outstanding < self.places:
            next_one = min(wanting, key=lambda campaign: campaign.virtual_time)
            next_one.virtual_time += 1.0 / next_one.urgency
            self.queue.append(next_one.waiting.popleft())
            next_one.published += 1
            self.outstanding += 1
            if not next_one.waiting:
                wanting.remove(next_one)

    def done(self, chunk, now_s):
        campaign = chunk.campaign
        chunk.times_done += 1
        campaign.done += 1
        campaign.published -= 1
        self.outstanding -= 1
        if campaign.left() == 0:
            campaign.finished_s = now_s
            self.campaigns.remove(campaign)

    def returned(self, chunk):
        """A chunk that a worker hands back is published again in its campaign's turn."""
        chunk.campaign.waiting.appendleft(chunk)
        chunk.campaign.published -= 1
        self.outstanding -= 1
