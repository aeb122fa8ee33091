"""Samples answers to the rows of a campaign, behind one shared prefix and with temperature and top-p, as the product does."""

import torch
from torch.nn import functional

from model import CONTEXT, HEAD, HEADS, LAYERS, WIDTH
from vocabulary import END


class Prefix:
    """Keys and values of the tokens that all rows of a campaign share, a tensor for each layer."""

    def __init__(self, model, tokens):
        self.length, self.layers = len(tokens), []
        model.hidden(torch.tensor(tokens), torch.arange(len(tokens)), self._attend)

    def _attend(self, _layer):
        def run(qkv):
            query, key, value = heads(qkv, 1)
            self.layers.append((key, value))
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            return mixed.transpose(1, 2).reshape(-1, WIDTH)
        return run


class Rows:
    """Keys and values of a batch of left-padded rows behind one prefix."""

    def __init__(self, prefix, padding):
        self.prefix, self.padding, self.used = prefix, padding, 0
        self.layers = [None] * LAYERS

    def attend(self, layer):
        """Attention of the newest tokens over the prefix and their own row, without the padding."""
        def run(qkv):
            query, key, value = heads(qkv, len(self.padding))
            if self.layers[layer] is not None:
                key, value = (torch.cat(pair, dim=2) for pair in zip(self.layers[layer], (key, value), strict=True))
            self.layers[layer] = key, value
            shared_key, shared_value = self.prefix.layers[layer]
            columns = torch.arange(key.shape[2])
            times = columns[-query.shape[2] :]
            seen = (columns[None] <= times[:, None])[None] & (columns[None] >= self.padding[:, None])[:, None]
            own = (query @ key.transpose(-1, -2)).masked_fill(~seen[:, None], -1e9)
            scores = torch.cat([query @ shared_key.transpose(-1, -2), own], dim=-1) * HEAD**-0.5
            before, after = torch.softmax(scores, dim=-1).split([self.prefix.length, len(columns)], dim=-1)
            return (before @ shared_value + after @ value).transpose(1, 2).reshape(-1, WIDTH)
        return run

    def keep(self, rows):
        """Drops all but these rows."""
        self.padding = self.padding[rows]
        self.layers = [(key[rows], value[rows]) for key, value in self.layers]


def heads(qkv, rows):
    """Query, key and value as (rows, heads, tokens, width of a head)."""
    return [part.view(rows, -1, HEADS, HEAD).transpose(1, 2) for part in qkv.split(WIDTH, dim=-1)]


@torch.no_grad()
def generate(model, prefix, rows, generator, temperature=0.8, top_p=0.95, max_tokens=220):
    """Token ids of one answer for every row behind the prefix, without the end token; one that never ends is None."""
    shared = Prefix(model, prefix)
    longest = max(map(len, rows))
    cache = Rows(shared, torch.tensor([longest - len(row) for row in rows]))
    tokens = torch.tensor([[END] * (longest - len(row)) + row for row in rows])
    active = torch.arange(len(rows))
    answers, finished = [[] for _ in rows], set()
    for _ in range(min(max_tokens, CONTEXT - len(prefix) - longest)):
        columns = torch.arange(cache.used, cache.used + tokens.shape[1])
        positions = len(prefix) + (columns[None] - cache.padding[:, None]).clamp(min=0)
        hidden = model.hidden(tokens.reshape(-1), positions.reshape(-1), cache.attend)
        cache.used += tokens.shape[1]
        chosen = pick(model.logits(hidden.view(len(active), -1, WIDTH)[:, -1]), generator, temperature, top_p)
        for row, token in zip(active.tolist(), chosen.tolist(), strict=True):
            answers[row].append(token)
        going = chosen != END
        finished.update(active[~going].tolist())
        if not going.any():
            break
        if not going.all():
            active, chosen = active[going], chosen[going]
            cache.keep(going)
        tokens = chosen[:, None]
    return [answer[:-1] if row in finished else None for row, answer in enumerate(answers)]


def pick(logits, generator, temperature, top_p):
    """One token a row: the smallest set of likely tokens that holds `top_p` is sampled from."""
    chances, order = torch.softmax(logits / temperature, dim=-1).sort(descending=True)
    kept = chances * (chances.cumsum(dim=-1) - chances < top_p)
    return order.gather(1, torch.multinomial(kept, 1, generator=generator))[:, 0]
