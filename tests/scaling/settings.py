"""What a simulated cluster is set to; the defaults are what docs/SCALING.md recommends and the chart sets."""

from dataclasses import dataclass

STEP_S = 5
# The HPA's period, KEDA's pollingInterval and Prometheus' scrape interval alike.
POLL_S = 15


@dataclass(frozen=True)
class Settings:
    """Speeds and times of the machines, and the settings of Copymill, KEDA and the HPA."""

    # deadline, queue, utilisation or static: what decides how many workers run.
    policy: str = "deadline"

    # No GPU was measured: this is the speed at which a chunk of the default size is about a minute.
    tokens_per_second: float = 1000.0
    cold_start_s: float = 300
    # The share of starts that have to wait for a node, and for how long.
    shortage: float = 0.0
    shortage_s: float = 600
    # How wrong the first guess of a campaign's speed is; None draws it from 0.7 to 1.3 for each campaign.
    bias: float | None = None

    # planned or drawn: the plan of day.py, or campaigns drawn at random.
    day: str = "planned"
    # What the campaigns of a drawn day may need together, as a share of the most workers.
    peak: float = 0.8

    # Copymill: scheduler.chunk_tokens, scheduler.window, worker.chunks_in_hand, worker.grace_s.
    chunk_tokens: float = 60_000
    window: int = 80
    chunks_in_hand: int = 2
    grace_s: float = 120

    # The formula; see formula.py.
    formula: str = "paces"
    start_s: float = 300
    headroom: float = 2.0
    horizon_s: float = 3600

    # KEDA.
    min_workers: int = 0
    max_workers: int = 40
    queue_value: float = 6
    held_s: int = 60
    cooldown_s: float = 600

    # HPA, `behavior`.
    up_pods: int = 4
    up_percent: float = 100
    up_period_s: float = 60
    down_pods: int = 1
    down_percent: float = 50
    down_period_s: float = 150
    stabilization_s: float = 300

    # The other policies: working workers as a share of all, and a fleet that never changes.
    target_utilisation: float = 0.8
    static_workers: int = 30
