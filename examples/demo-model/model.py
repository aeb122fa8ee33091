"""GPT-2 in its plain form, with attention for packs: one shared prefix and branches that see it and themselves."""

import torch
from torch import nn
from torch.nn import functional

VOCABULARY, CONTEXT, WIDTH, LAYERS, HEADS = 2048, 1024, 256, 4, 4
HEAD = WIDTH // HEADS


class Block(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self):
        super().__init__()
        self.attn_norm = nn.LayerNorm(WIDTH)
        self.attn_qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.attn_output = nn.Linear(WIDTH, WIDTH)
        self.ffn_norm = nn.LayerNorm(WIDTH)
        self.ffn_up = nn.Linear(WIDTH, 4 * WIDTH)
        self.ffn_down = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, hidden, attend):
        hidden = hidden + self.attn_output(attend(self.attn_qkv(self.attn_norm(hidden))))
        return hidden + self.ffn_down(functional.gelu(self.ffn_up(self.ffn_norm(hidden)), approximate="tanh"))


class Gpt(nn.Module):
    """The network; the output matrix is the embedding matrix."""

    def __init__(self):
        super().__init__()
        self.token_embd = nn.Embedding(VOCABULARY, WIDTH)
        self.position_embd = nn.Embedding(CONTEXT, WIDTH)
        self.blk = nn.ModuleList(Block() for _ in range(LAYERS))
        self.output_norm = nn.LayerNorm(WIDTH)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        for block in self.blk:
            for layer in (block.attn_output, block.ffn_down):
                nn.init.normal_(layer.weight, std=0.02 / (2 * LAYERS) ** 0.5)

    def hidden(self, tokens, positions, attend):
        """Final hidden states of a flat list of tokens; `attend(layer)` gives each layer's attention."""
        state = self.token_embd(tokens) + self.position_embd(positions)
        for index, block in enumerate(self.blk):
            state = block(state, attend(index))
        return self.output_norm(state)

    def logits(self, hidden):
        """Scores over the vocabulary."""
        return functional.linear(hidden, self.token_embd.weight)


def pack_attention(prefix, lengths):
    """Attention of a pack laid out flat: `prefix` tokens, then branches of these `lengths`.

    A branch sees the whole prefix and its own past, which is how the engine decodes. Branches are
    padded to one length for the attention alone.
    """
    rows, length = len(lengths), max(lengths)
    sizes = torch.tensor(lengths)
    starts = prefix + sizes.cumsum(0) - sizes
    columns = torch.arange(length)
    padded = (starts[:, None] + columns[None]).clamp(max=prefix + int(sizes.sum()) - 1).flatten()
    flat = (columns[None] < sizes[:, None]).flatten().nonzero()[:, 0]
    own = torch.zeros(length, length).masked_fill(columns[None] > columns[:, None], -torch.inf)
    tail_mask = torch.cat([torch.zeros(length, prefix), own], dim=1).to(torch.bfloat16)
    head_mask = torch.zeros(prefix, prefix).masked_fill(torch.ones(prefix, prefix).triu(1).bool(), -torch.inf).to(torch.bfloat16)

    def attend(qkv):
        query, key, value = (part.view(-1, HEADS, HEAD).transpose(0, 1) for part in qkv.split(WIDTH, dim=-1))
        head = attention(query[:, :prefix], key[:, :prefix], value[:, :prefix], head_mask)

        def branches(part):
            return part.index_select(1, padded).view(HEADS, rows, length, HEAD).transpose(0, 1)

        def with_prefix(part):
            shared = part[None, :, :prefix].expand(rows, -1, -1, -1)
            return torch.cat([shared, branches(part)], dim=2)

        tail = attention(branches(query), with_prefix(key), with_prefix(value), tail_mask)
        tail = tail.transpose(0, 1).reshape(HEADS, rows * length, HEAD).index_select(1, flat)
        return torch.cat([head, tail], dim=1).transpose(0, 1).reshape(-1, WIDTH)

    return attend


def attention(query, key, value, mask):
    """Softmax attention with an additive mask, written out: on a CPU its backward pass beats the fused one."""
    scores = query @ key.transpose(-1, -2) * HEAD**-0.5 + mask
    return torch.softmax(scores, dim=-1, dtype=query.dtype) @ value
