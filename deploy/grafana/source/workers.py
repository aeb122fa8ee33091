"""Workers: how fast each one is, and what holds it back."""

from .panels import dashboard, series, stat, steps, table
from .promql import MODELS, largest, of_model, quantile, rate, selector, total, worker

INSTANCE = ("namespace", "instance")
GPU = "{{Hostname}} {{gpu}}"
FULL = steps("green", (0.9, "orange"), (0.98, "red"))

# Slots that were busy, of all slots, while the engine decoded.
OFFERED = f"{rate(worker('decode_steps_total'))} * {worker('slots')}"


def share(part, whole, *labels):
    return f"{total(of_model(part), *labels)} / {total(of_model(whole), *labels)}"


def summed(counter, *labels):
    return total(of_model(rate(worker(counter))), *labels)


def latency(title, good, histogram):
    return series(title, good, "s", (quantile(0.5, histogram), "p50"), (quantile(0.95, histogram), "p95"))


BUSY = rate(worker("busy_slot_steps_total"))
REUSED = rate(worker("reused_tokens_total"))
# What prompts have: computed tokens and reused ones are counted apart.
ASKED = f"({rate(worker('prompt_tokens_total'))} + {REUSED})"

DASHBOARD = dashboard(
    "workers",
    "Workers",
    "How fast is each worker, and what holds it back?",
    ("", [
        stat("Workers", "Workers that hold a model.", "short", f"count({MODELS})"),
        stat("Tokens per second", "Tokens that all workers generate together.", "short", summed("generation_tokens_total")),
        stat("Occupancy", "Slots that were busy while the engine decoded. Good: above 80 % while there is a backlog.",
             "percentunit", share(BUSY, OFFERED), steps("red", (0.5, "orange"), (0.8, "green")), decimals=0),
        stat("Prefix reuse", "Share of prompt tokens that were not computed anew. Good: above 70 % in campaigns, whose "
             "prompts begin alike.", "percentunit", share(REUSED, ASKED), steps("orange", (0.7, "green")), decimals=0),
        stat("KV cells used", "Of the worker that is worst off. Good: below 90 %; above it requests are put back.",
             "percentunit", largest(of_model(f"{worker('kv_cells_used')} / {worker('kv_cells')}")), FULL, decimals=0),
        stat("Requests waiting", "Good: a few per worker; none while there is a backlog means that slots run dry.", "short",
             total(of_model(worker("requests_waiting")))),
        stat("Engine standstill", "Longest time without progress of an engine that has work. Good: seconds; the watchdog "
             "ends the process at 5 minutes.", "s", largest(of_model(worker("engine_idle_seconds"))),
             steps("green", (30, "orange"), (120, "red"))),
        stat("Busiest GPU", "Utilisation that the DCGM exporter reports; empty where there is none.", "percent",
             largest(selector("DCGM_FI_DEV_GPU_UTIL")), decimals=0),
    ]),
    ("Throughput", [
        series("Tokens per second by worker", "Good: workers of one model and device are alike.", "short",
               (summed("generation_tokens_total", *INSTANCE), "{{instance}}")),
        series("Occupancy by worker", "Busy slots of all slots while the engine decoded. Good: above 80 %.", "percentunit",
               (share(BUSY, OFFERED, *INSTANCE), "{{instance}}"), maximum=1),
        series("Tokens per step", "Tokens in one decoded batch, prompts included. Good: at least the number of busy slots.",
               "short", (share(rate(worker("batch_tokens_total")), rate(worker("decode_steps_total")), *INSTANCE),
                         "{{instance}}")),
        series("Tokens by origin", "Good: generated is most of what is not reused; forced tokens cost no sampling.", "short",
               (summed("prompt_tokens_total"), "prompt, computed"),
               (summed("reused_tokens_total"), "prompt, reused"),
               (summed("generation_tokens_total"), "generated"),
               (summed("forced_tokens_total"), "of them forced")),
        series("Prefix reuse by worker", "Good: above 70 % in campaigns.", "percentunit",
               (share(REUSED, ASKED, *INSTANCE), "{{instance}}"), maximum=1),
        series("KV cells used", "Good: below 90 %.", "percentunit",
               (largest(of_model(f"{worker('kv_cells_used')} / {worker('kv_cells')}"), *INSTANCE), "{{instance}}"),
               limits=FULL, maximum=1),
    ]),
    ("Latency", [
        latency("Queue wait", "From a row's request until its first token is computed. Good: steady; it grows with the rows of a chunk.",
                "request_queue_time_seconds"),
        latency("Time to first token", "From a row's request to the first token that is written. Good: little more than the queue wait; prefixes are reused.",
                "time_to_first_token_seconds"),
        latency("Time per token", "Between two tokens of one message. Good: steady.", "time_per_output_token_seconds"),
        latency("Time per row", "All attempts of a message.", "row_seconds"),
        latency("Time per chunk", "Good: one to two minutes, so that a lost worker costs little.", "chunk_seconds"),
        series("Attempts per message", "Good: near 1; more means that checks fail and work is done twice.", "short",
               (share(rate(worker("message_attempts_sum")), rate(worker("message_attempts_count"))), "mean")),
    ]),
    ("Load", [
        series("Requests running and waiting", "Good: running equals slots while there is a backlog.", "short",
               (total(of_model(worker("requests_running"))), "running"),
               (total(of_model(worker("requests_waiting"))), "waiting"),
               (total(of_model(worker("slots"))), "slots")),
        series("Chunks by result", "Good: done. Returned ones come with stops, split ones with rows that kill workers.",
               "suffix: /s", (summed("chunks_total", "result"), "{{result}}"), stack=True),
        series("Inline jobs by result", "Jobs of other programs. Good: done or replayed.", "suffix: /s",
               (summed("inline_jobs_total", "result"), "{{result}}"), stack=True),
        series("Requests put back", "Preemptions for lack of KV cells. Good: 0; else fewer slots or more cells.",
               "suffix: /s", (summed("preemptions_total", *INSTANCE), "{{instance}}")),
        series("Chunks in hand", "Good: 2 of each worker while there is a backlog.", "short",
               (total(of_model(worker("chunks_in_hand")), *INSTANCE), "{{instance}}")),
        series("GPU-seconds per token", "What the leader measured and forecasts with. Good: steady.", "s",
               (largest(selector("copymill_scheduler_seconds_per_token", model="~$model"), "model"), "{{model}}")),
    ]),
    ("Devices", [
        series("GPU utilisation", "From the DCGM exporter, where it runs. Good: above 80 % while there is a backlog.",
               "percent", (largest(selector("DCGM_FI_DEV_GPU_UTIL"), "Hostname", "gpu"), GPU), maximum=100),
        series("GPU memory", "From the DCGM exporter, where it runs. Good: steady; all is taken at the start.", "percentunit",
               (f"{largest(selector('DCGM_FI_DEV_FB_USED'), 'Hostname', 'gpu')} / "
                f"({largest(selector('DCGM_FI_DEV_FB_USED'), 'Hostname', 'gpu')} + "
                f"{largest(selector('DCGM_FI_DEV_FB_FREE'), 'Hostname', 'gpu')})", GPU), maximum=1),
        series("Device memory", "As the backend tells it; 0 on the CPU.", "bytes",
               (total(of_model(worker("device_memory_used_bytes")), *INSTANCE), "{{instance}} used"),
               (total(of_model(worker("device_memory_bytes")), *INSTANCE), "{{instance}} all")),
        series("Process memory", "Good: steady after the model is loaded.", "bytes",
               (largest(of_model(selector("process_resident_memory_bytes")), *INSTANCE), "{{instance}}")),
        series("Time to load the model", "Good: minutes at most; from a cache it is seconds.", "s",
               (largest(of_model(worker("model_load_seconds")), *INSTANCE), "{{instance}}")),
        table("Models", "Which models are loaded. Good: one line per model; two mean different files under one name.",
              f"count by (model, quantisation, architecture, bytes, context_tokens, device, sha256) ({MODELS})", "workers"),
    ]),
)
