"""The workers: they start, take chunks, are asked to stop, and every second of a GPU is counted."""

import random
from dataclasses import dataclass, field


@dataclass
class Worker:
    """A pod with one GPU; `stop_s` is when its grace ends, once it was asked to stop."""

    ready_s: float
    hand: list = field(default_factory=list)
    finish_s: float = 0.0
    stop_s: float | None = None


class Fleet:
    """All pods of one model."""

    def __init__(self, settings, seed):
        self.settings = settings
        self.rng = random.Random(f"fleet {seed}")
        self.workers = []
        # Seconds of GPUs: paid for, spent on chunks that were finished, spent on starting, and on chunks handed back.
        self.paid_s = self.useful_s = self.starting_s = self.lost_s = 0.0
        self.returned = 0

    def replicas(self):
        """What Kubernetes counts: pods that start are replicas, pods that are going are not."""
        return sum(worker.stop_s is None for worker in self.workers)

    def working(self):
        return sum(bool(worker.hand) for worker in self.workers)

    def starting(self, now_s):
        return sum(worker.ready_s > now_s for worker in self.workers)

    def scale_to(self, wanted, now_s):
        change = wanted - self.replicas()
        for _ in range(change):
            self.workers.append(Worker(now_s + self.cold_start_s()))
        for _ in range(-change):
            self.stop_one(now_s)

    def cold_start_s(self):
        start_s = self.settings.cold_start_s * self.rng.uniform(0.9, 1.1)
        if self.rng.random() < self.settings.shortage:
            start_s += self.settings.shortage_s
        return start_s

    def stop_one(self, now_s):
        """Kubernetes removes pods that are not ready first, and knows nothing of chunks otherwise."""
        staying = [worker for worker in self.workers if worker.stop_s is None]
        starting = [worker for worker in staying if worker.ready_s > now_s]
        victim = self.rng.choice(starting or staying)
        victim.stop_s = now_s + self.settings.grace_s if victim.ready_s <= now_s else now_s

    def step(self, window, now_s, step_s):
        """Lets `step_s` seconds pass until `now_s`."""
        for worker in self.workers:
            self.paid_s += step_s
            if worker.ready_s > now_s:
                self.starting_s += step_s
            while worker.hand and worker.finish_s <= now_s:
                chunk = worker.hand.pop(0)
                self.useful_s += chunk.seconds
                window.done(chunk, now_s)
                if worker.hand:
                    worker.finish_s += worker.hand[0].seconds
            if worker.stop_s is not None and worker.stop_s <= now_s:
                self.hand_back(worker, window, now_s)
        self.workers = [w for w in self.workers if w.stop_s is None or (w.hand and w.stop_s > now_s)]

    def hand_back(self, worker, window, now_s):
        if worker.hand:
            self.lost_s += worker.hand[0].seconds - (worker.finish_s - now_s)
        for chunk in reversed(worker.hand):
            window.returned(chunk)
            self.returned += 1
        worker.hand.clear()

    def take(self, window, now_s):
        """The broker fills each worker's hands as far as `worker.chunks_in_hand`."""
        for worker in self.workers:
            if not window.queue:
                return
            if worker.ready_s > now_s or worker.stop_s is not None:
                continue
            while window.queue and len(worker.hand) < self.settings.chunks_in_hand:
                worker.hand.append(window.queue.popleft())
                if len(worker.hand) == 1:
                    worker.finish_s = now_s + worker.hand[0].seconds
