"""The model's tokenizer: byte-level BPE in GPT-2's format, with four control tokens.

Text that is not the chat template's own never becomes a control token: every part of a prompt is
tokenised on its own, as the product does it.
"""

import random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from samples import pack

SIZE = 2048
CONTROL = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
SYSTEM, USER, ASSISTANT, END = range(4)


def train(packs=2500, seed=11):
    """Trains the vocabulary on text that the grammar writes."""
    rng = random.Random(seed)
    lines = []
    for _ in range(packs):
        _, system, branches = pack(rng, 3)
        lines.append(system)
        for branch in branches:
            lines += [branch.user, branch.answer]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, special_tokens=CONTROL, initial_alphabet=sorted(alphabet), show_progress=False, max_token_length=16)
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def plain(tokenizer, text):
    """Token ids of text that may not name a control token."""
    for mark in CONTROL:
        if mark in text:
            raise ValueError(f"text contains the control token {mark}")
    return tokenizer.encode(text, add_special_tokens=False).ids


def prefix_ids(tokenizer, system):
    """The tokens that all rows of a campaign share."""
    return [SYSTEM, *plain(tokenizer, system), END]


def row_ids(tokenizer, user):
    """The tokens of a row's prompt after the prefix, up to where the answer begins."""
    return [USER, *plain(tokenizer, user), END, ASSISTANT]


def answer_ids(tokenizer, answer):
    """The tokens of an answer with the end token."""
    return [*plain(tokenizer, answer), END]
