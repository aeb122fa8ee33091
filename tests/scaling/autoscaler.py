"""KEDA and the horizontal pod autoscaler (HPA) that it makes, as far as they decide how many workers run."""

import math
from collections import deque

from settings import POLL_S

# A metric this close to what the replicas are for changes nothing (--horizontal-pod-autoscaler-tolerance).
TOLERANCE = 0.1


class Autoscaler:
    """Decides how many replicas there are to be, once in `POLL_S`."""

    def __init__(self, settings):
        self.settings = settings
        self.scraped = deque([0.0], maxlen=max(settings.held_s // POLL_S, 1))
        self.recommended = deque()
        self.changes = deque()
        self.active_s = -math.inf

    def replicas(self, fleet, queue_length, wanted, now_s):
        """What the policy asks for. Prometheus shows `wanted` as it was one scrape ago."""
        settings = self.settings
        held = max(self.scraped)
        self.scraped.append(wanted)
        if settings.policy == "static":
            return settings.static_workers
        queue = (queue_length, settings.queue_value)
        triggers = {
            "deadline": [(held, 1.0), queue],
            "queue": [queue],
            "utilisation": [(fleet.working(), settings.target_utilisation)],
        }[settings.policy]
        return self.decide(fleet.replicas(), triggers, now_s)

    def decide(self, current, triggers, now_s):
        """Triggers are pairs: a metric, and how much of it one worker is for. KEDA decides on none or some, the HPA
        on the rest."""
        settings = self.settings
        if any(metric > 0 for metric, _ in triggers):
            self.active_s = now_s
        if settings.min_workers == 0:
            if current == 0:
                self.recommended.clear()
                return 1 if self.active_s == now_s else 0
            if now_s - self.active_s >= settings.cooldown_s:
                return 0
        wanted = max(desired(metric, share, current) for metric, share in triggers)
        wanted = min(max(wanted, settings.min_workers, 1), settings.max_workers)
        return self.limited(current, wanted, now_s)

    def limited(self, current, wanted, now_s):
        """The HPA's `behavior`: down to the most that was recommended within the stabilisation window, and neither way
        faster than the policies allow."""
        settings = self.settings
        self.recommended.append((now_s, wanted))
        while self.recommended[0][0] <= now_s - settings.stabilization_s:
            self.recommended.popleft()
        if wanted > current:
            before = current - self.changed(settings.up_period_s, 1, now_s)
            most = max(before + settings.up_pods, math.ceil(before * (1 + settings.up_percent / 100)))
            target = max(min(wanted, most), current)
        else:
            before = current + self.changed(settings.down_period_s, -1, now_s)
            least = min(before - settings.down_pods, math.floor(before * (1 - settings.down_percent / 100)))
            target = min(max(max(value for _, value in self.recommended), least), current)
        if target != current:
            self.changes.append((now_s, target - current))
        return target

    def changed(self, period_s, direction, now_s):
        """How many replicas came, or went, within a policy's period."""
        recent = (change for at_s, change in self.changes if at_s > now_s - period_s)
        return sum(abs(change) for change in recent if change * direction > 0)


def desired(metric, share, current):
    if current and abs(metric / (share * current) - 1) <= TOLERANCE:
        return current
    return math.ceil(metric / share)
