"""Reliability: what failed, and whether it was borne."""

from .panels import dashboard, series, stat, states, steps
from .promql import (
    both,
    increase,
    largest,
    of_model,
    rate,
    scheduler,
    scheduler_quantile,
    selector,
    total,
    worker,
)

NONE = steps("green", (1, "red"))
FEW = steps("green", (1, "orange"), (10, "red"))
LATENCY = steps("green", (5, "orange"), (30, "red"))

STORE_FAILURES = total(both("store_operations_total", result="error"))
STORE_CALLS = total(both("store_operations_total"))
BROKER_FAILURES = total(both("broker_operations_total", result="error"))
BROKER_CALLS = total(both("broker_operations_total"))
CONNECTED = f"{worker('broker_connected')} or {scheduler('broker_connected')}"
# Prometheus and others have a start too: only our own processes have a version of ours.
OURS = f"on (namespace, instance) ({worker('build_info')} or {scheduler('build_info')})"
QUEUES = 'queue=~"copymill[.].*"'


def restarts(window):
    return f"changes({selector('process_start_time_seconds')}[{window}]) and {OURS}"


def slowest(name):
    """The 95th percentile by operation, over schedulers and workers."""
    rates = f"{rate(worker(name + '_bucket'))} or {rate(scheduler(name + '_bucket'))}"
    return f"histogram_quantile(0.95, {total(rates, 'le', 'operation')})"


DASHBOARD = dashboard(
    "reliability",
    "Reliability",
    "What failed, and was it borne? The stats count over the time range of the dashboard.",
    ("", [
        stat("Leaders", "Good: exactly 1.", "short", total(scheduler("leader")), steps("red", (1, "green"), (2, "red"))),
        stat("Elections", "Times a scheduler began to lead. Good: one per update of the scheduler.", "short",
             total(increase(scheduler("elections_total"))), steps("green", (3, "orange"), (10, "red")), decimals=0),
        stat("Dead letters", "Messages in copymill.dead. Good: 0.", "short", largest(scheduler("dead_letters")), NONE),
        stat("Redeliveries", "Deliveries that had been delivered before. Good: a few after restarts of workers.", "short",
             total(of_model(increase(worker("redeliveries_total")), "$__range")), FEW, decimals=0),
        stat("Published again", "Chunks that were published again. Good: only those that stopped workers handed back.",
             "short", total(increase(scheduler("republished_chunks_total"))), FEW, decimals=0),
        stat("Store errors", "Share of calls that failed after all tries. Good: 0.", "percentunit",
             f"{STORE_FAILURES} / {STORE_CALLS}", steps("green", (0.001, "orange"), (0.05, "red")), decimals=1),
        stat("Without broker", "Processes that have no connection to RabbitMQ. Good: 0.", "short",
             f"count({CONNECTED}) - sum({CONNECTED})", NONE),
        stat("Restarts", "Processes that started again in their place. Good: only those of an update.", "short",
             total(restarts("$__range")), FEW, decimals=0),
    ]),
    ("Chunks", [
        series("Redeliveries", "Good: 0 but after a worker is lost or the broker restarts.", "suffix: /s",
               (total(of_model(rate(worker("redeliveries_total")), "$__rate_interval"), "namespace", "instance"), "{{instance}}")),
        series("Published again by reason", "silent: a worker died; lost: the broker lost its queue; returned: a worker was "
               "stopped; failed: a worker gave up. Good: returned alone.", "suffix: /s",
               (total(rate(scheduler("republished_chunks_total")), "reason"), "{{reason}}"), stack=True),
        series("From publishing to done", "Good: a few times the time of a chunk; it grows with the window.", "s",
               (scheduler_quantile(0.5, "chunk_turnaround_seconds"), "p50"),
               (scheduler_quantile(0.95, "chunk_turnaround_seconds"), "p95")),
        series("Dead letters", "Good: 0.", "short", (largest(scheduler("dead_letters")), "copymill.dead")),
        series("Failed checks by code", "Failed checks of all attempts, the ten most frequent. Good: no code that suddenly "
               "leads; docs/CHECKS.md explains them.", "suffix: /s",
               (f"topk(10, {total(of_model(rate(worker('check_failures_total')), '$__rate_interval'), 'code')})", "{{code}}")),
        series("Messages tried again", "Attempts beside the first of each message. Good: a small share of all messages.",
               "suffix: /s", (f"{total(of_model(rate(worker('message_attempts_sum')), '$__rate_interval'))} - "
                              f"{total(of_model(rate(worker('message_attempts_count')), '$__rate_interval'))}", "attempts")),
        series("Longest standstill of an engine", "Time without progress while there is work. Good: seconds.", "s",
               (largest(of_model(worker("engine_idle_seconds")), "namespace", "instance"), "{{instance}}"),
               limits=steps("green", (120, "red"))),
    ]),
    ("Leader", [
        states("Who leads", "Good: exactly one at any time; a change is over within 15 seconds.",
               [("stands by", "#6E7787"), ("leads", "green")],
               (largest(scheduler("leader"), "namespace", "instance"), "{{instance}}")),
        series("Events waiting", "Reports of workers that the leader has not read. Good: near 0.", "short",
               (largest(scheduler("events_waiting")), "copymill.events")),
        series("Event lag", "From a worker's report to its effect. Good: below a second.", "s",
               (scheduler_quantile(0.5, "event_lag_seconds"), "p50"),
               (scheduler_quantile(0.95, "event_lag_seconds"), "p95"), limits=LATENCY),
        series("Age of the leader's last turn", "Good: a few seconds; much more means that it hangs.", "s",
               (largest(scheduler("leader_loop_seconds"), "namespace", "instance"), "{{instance}}"), limits=LATENCY),
        series("Restarts", "Processes that started again in their place. Good: only those of an update.", "short",
               (total(restarts("$__rate_interval"), "namespace", "instance"), "{{instance}}")),
        series("Open files", "Good: steady.", "short",
               (f"{largest(selector('process_open_fds'), 'namespace', 'instance')} and {OURS}", "{{instance}}")),
    ]),
    ("Store", [
        series("Store errors by operation", "Calls that failed after all tries. Good: 0.", "suffix: /s",
               (total(both("store_operations_total", result="error"), "operation"), "{{operation}}")),
        series("Store calls by operation", "Good: mostly put and get; the leader renews its lease once a second.", "ops",
               (total(both("store_operations_total"), "operation"), "{{operation}}"), stack=True),
        series("Store time, p95", "Good: below a second.", "s", (slowest("store_operation_seconds"), "{{operation}}")),
    ]),
    ("Broker", [
        series("Broker errors by operation", "Good: 0, but for a restart of the broker.", "suffix: /s",
               (total(both("broker_operations_total", result="error"), "operation"), "{{operation}}")),
        series("Reconnects", "Good: 0, but for a restart of the broker.", "suffix: /s",
               (total(both("broker_reconnects_total"), "namespace", "instance"), "{{instance}}")),
        series("Broker time, p95", "Good: below 100 ms.", "s", (slowest("broker_operation_seconds"), "{{operation}}")),
        series("Share of broker operations that failed", "Good: 0.", "percentunit",
               (f"{BROKER_FAILURES} / {BROKER_CALLS}", "failed"), limits=steps("green", (0.05, "red")), maximum=1),
        series("Queues", "From RabbitMQ itself. Good: ready jobs while there is a backlog; no dead letters.", "short",
               (f"max by (queue) (rabbitmq_detailed_queue_messages_ready{{{QUEUES}}})", "{{queue}} ready"),
               (f"max by (queue) (rabbitmq_detailed_queue_messages_unacked{{{QUEUES}}})", "{{queue}} in hand")),
        series("Consumers", "From RabbitMQ itself. Good: one per worker of a model, one leader for events.", "short",
               (f"max by (queue) (rabbitmq_detailed_queue_consumers{{{QUEUES}}})", "{{queue}}")),
        states("RabbitMQ alarms", "In an alarm RabbitMQ takes nothing from publishers. Good: none.",
               [("none", "green"), ("alarm", "red")],
               ("max by (instance) (rabbitmq_alarms_memory_used_watermark)", "{{instance}} memory"),
               ("max by (instance) (rabbitmq_alarms_free_disk_space_watermark)", "{{instance}} disk")),
        series("RabbitMQ memory", "Good: well below its limit.", "bytes",
               ("max by (instance) (rabbitmq_process_resident_memory_bytes)", "{{instance}} used"),
               ("max by (instance) (rabbitmq_resident_memory_limit_bytes)", "{{instance}} limit")),
        series("RabbitMQ free disk", "Good: far above its limit, below which it takes nothing more.", "bytes",
               ("min by (instance) (rabbitmq_disk_space_available_bytes)", "{{instance}} free"),
               ("max by (instance) (rabbitmq_disk_space_available_limit_bytes)", "{{instance}} limit")),
    ]),
)
