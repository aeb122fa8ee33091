"""Turns samples into flat token tensors for one training step: several packs, each with its own attention."""

import re
from dataclasses import dataclass

import torch

from model import CONTEXT, pack_attention
from samples import pack
from vocabulary import answer_ids, prefix_ids, row_ids

# What has to be looked up in the prompt counts more than what is free to choose, or it is learned last.
ASKED_WEIGHT, NAME_WEIGHT, COPY_WEIGHT = 5.0, 3.0, 6.0
ASKED_CHARACTERS = 12


@dataclass
class Batch:
    """Flat tokens with their positions; targets are -100, and weights 0, where no loss is taken."""

    tokens: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    sizes: list
    attentions: list

    def attend(self, _layer):
        """Attention over all packs, each on its own part of the flat tokens."""
        def run(qkv):
            parts = qkv.split(self.sizes)
            return torch.cat([one(part) for one, part in zip(self.attentions, parts, strict=True)])
        return run


def encode(tokenizer, system, branches):
    """Token ids of a pack: the prefix and, for every branch, (row ids, answer ids, answer weights)."""
    rows = [(row_ids(tokenizer, branch.user), answer_ids(tokenizer, branch.answer), weights(tokenizer, branch))
            for branch in branches]
    return prefix_ids(tokenizer, system), rows


def weights(tokenizer, branch):
    """How much every token of an answer counts in the loss, the end token last."""
    heavy = [(*match.span(), NAME_WEIGHT) for match in re.finditer(r"\[\[\w+\]\]", branch.answer)]
    for value in filter(None, (branch.meant["category"], branch.meant["tier"])):
        heavy += [(*match.span(), COPY_WEIGHT) for match in re.finditer(re.escape(value.lower()), branch.answer.lower())]
    for line in branch.asked:
        start = branch.answer.find(line)
        if start >= 0:
            heavy.append((start - 1, start + ASKED_CHARACTERS, ASKED_WEIGHT))
    offsets = tokenizer.encode(branch.answer, add_special_tokens=False).offsets
    return [max([1.0, *(weight for start, end, weight in heavy if begin < end and stop > start)]) for begin, stop in offsets] + [1.0]


def flat(encoded):
    """One Batch of encoded packs."""
    tokens, positions, targets, counts, sizes, attentions = [], [], [], [], [], []
    for prefix, rows in encoded:
        lengths = [len(row) + len(answer) - 1 for row, answer, _ in rows]
        if len(prefix) + max(lengths) > CONTEXT:
            continue
        tokens += prefix
        positions += range(len(prefix))
        targets += [-100] * len(prefix)
        counts += [0.0] * len(prefix)
        for (row, answer, heavy), length in zip(rows, lengths, strict=True):
            tokens += (row + answer)[:-1]
            positions += range(len(prefix), len(prefix) + length)
            targets += [-100] * (len(row) - 1) + answer
            counts += [0.0] * (len(row) - 1) + heavy
        sizes.append(len(prefix) + sum(lengths))
        attentions.append(pack_attention(len(prefix), lengths))
    return Batch(torch.tensor(tokens), torch.tensor(positions), torch.tensor(targets), torch.tensor(counts), sizes, attentions)


def fresh(tokenizer, rng, packs, rows):
    """A batch of samples that were never used before."""
    made = [pack(rng, rows) for _ in range(packs)]
    return flat([encode(tokenizer, system, branches) for _, system, branches in made])
