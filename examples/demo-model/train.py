"""Trains the demo model on text of the grammar and writes `demo.gguf`.

The learning rate follows wall time, so that a run of any length ends well, and a checkpoint with
its GGUF file is written every few minutes, so that a run that is cut short still leaves a model.
"""

import argparse
import json
import pathlib
import random
import tempfile
import time

import torch
from tokenizers import Tokenizer
from torch import distributed, multiprocessing
from torch.nn import functional

import batches
import vocabulary
from export import write_gguf
from model import Gpt
from optimizers import Optimizers

HERE = pathlib.Path(__file__).parent
WARMUP_S = 20.0
CHECKPOINT_S = 180.0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=65.0, help="wall time of the run")
    parser.add_argument("--work", type=pathlib.Path, default=HERE / "work", help="folder of checkpoints and the tokenizer")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "demo.gguf")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint in the work folder")
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--packs", type=int, default=3, help="campaigns in a step of one process")
    parser.add_argument("--rows", type=int, default=3, help="rows of one campaign in a step")
    parser.add_argument("--processes", type=int, default=2, help="one for each core")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def schedule(elapsed_s, total_s, highest):
    """Warm-up, then a cosine down to a twentieth, by wall time."""
    if elapsed_s < WARMUP_S:
        return highest * (0.05 + 0.95 * elapsed_s / WARMUP_S)
    share = min(1.0, (elapsed_s - WARMUP_S) / max(1.0, total_s - WARMUP_S))
    return highest * (0.05 + 0.95 * 0.5 * (1 + torch.cos(torch.tensor(share * torch.pi)).item()))


def loss_of(model, batch):
    """Cross-entropy over the answers of a batch: the weighted mean to train on, and the plain mean to report."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model.hidden(batch.tokens, batch.positions, batch.attend)
        wanted = batch.targets >= 0
        logits = model.logits(hidden[wanted])
    losses = functional.cross_entropy(logits.float(), batch.targets[wanted], reduction="none")
    weights = batch.weights[wanted]
    return (losses * weights).sum() / weights.sum(), losses.detach().mean()


def save(model, optimizer, tokenizer, options, step):
    """Writes the checkpoint and the GGUF file, each by writing a new file and renaming it."""
    replace(options.work / f"optimizer-{optimizer.rank}.pt", optimizer.state_dict())
    if optimizer.rank == 0:
        replace(options.work / "checkpoint.pt", {"model": model.state_dict(), "step": step})
        write_gguf(model, tokenizer, json.loads((HERE / "prompts.json").read_text(encoding="utf-8")), options.output)


def replace(path, state):
    """Writes a torch file so that a reader sees the old one or the new one."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.rename(path)


def main():
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / "tokenizer.json"
    if not path.exists():
        vocabulary.train().save(str(path))
    rendezvous = tempfile.mkdtemp()
    multiprocessing.spawn(train, args=(options, f"file://{rendezvous}/rendezvous"), nprocs=options.processes)


def train(rank, options, rendezvous):
    """One process of the run; its single thread waits for the others once a step, not once an operation."""
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    if options.processes > 1:
        distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=options.processes)
    tokenizer = Tokenizer.from_file(str(options.work / "tokenizer.json"))
    model = Gpt()
    optimizer = Optimizers(model, rank, options.processes)
    step = 0
    if options.resume:
        state = torch.load(options.work / "checkpoint.pt", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(torch.load(options.work / f"optimizer-{rank}.pt", weights_only=True))
        step = state["step"]
    run(model, optimizer, tokenizer, options, step)


def shared_time_s(start, ranks):
    """Seconds since the start on the first process's clock, so that all processes stop at the same step."""
    elapsed = torch.tensor([time.monotonic() - start])
    if ranks > 1:
        distributed.broadcast(elapsed, src=0)
    return elapsed.item()


def run(model, optimizer, tokenizer, options, step):
    """Trains until the wall time is over, reporting and saving on the way."""
    rng = random.Random(f"{options.seed} {step} {optimizer.rank}")
    start, total_s, saved_s = time.monotonic(), options.minutes * 60, 0.0
    answered, recent = 0, []
    while (elapsed_s := shared_time_s(start, options.processes)) < total_s:
        batch = batches.fresh(tokenizer, rng, options.packs, options.rows)
        weighted, plain = loss_of(model, batch)
        weighted.backward()
        optimizer.step(schedule(elapsed_s, total_s, options.rate))
        step += 1
        answered += int((batch.targets >= 0).sum()) * options.processes
        recent = [*recent[-49:], plain.item()]
        if step % 25 == 0 and optimizer.rank == 0:
            print(f"{elapsed_s:6.0f}s step {step} loss {sum(recent) / len(recent):.4f} answer tokens {answered / 1e6:.2f}M "
                  f"{answered / max(1.0, elapsed_s):.0f} answer tokens/s", flush=True)
        if elapsed_s - saved_s > CHECKPOINT_S:
            save(model, optimizer, tokenizer, options, step)
            saved_s = elapsed_s
    save(model, optimizer, tokenizer, options, step)


if __name__ == "__main__":
    main()
