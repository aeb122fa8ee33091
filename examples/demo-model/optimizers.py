"""The optimisers of the training run, shared out between its processes.

Every process holds the whole model and its own samples. Gradients are averaged, each process
updates the layers that are its own, and sends them to the others.
"""

import torch
from torch import distributed


class Optimizers:
    """Muon for the matrices of the layers, which needs about half the steps of AdamW here; AdamW for the rest."""

    def __init__(self, model, rank, ranks):
        self.parameters, self.rank, self.ranks = list(model.parameters()), rank, ranks
        self.layers = [[parameter for parameter in block.parameters() if parameter.dim() == 2] for block in model.blk]
        mine = [parameter for index, layer in enumerate(self.layers) if index % ranks == rank for parameter in layer]
        rest = [parameter for parameter in model.parameters() if parameter.dim() < 2]
        rest += [model.token_embd.weight, model.position_embd.weight]
        self.parts = [
            torch.optim.Muon(mine, weight_decay=0.05, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(rest, weight_decay=0.0, betas=(0.9, 0.98), fused=True),
        ]

    def step(self, rate):
        """Takes one step at this learning rate, the same in every process, and clears the gradients."""
        if self.ranks > 1:
            flat = torch.cat([parameter.grad.flatten() for parameter in self.parameters])
            distributed.all_reduce(flat)
            parts = (flat / self.ranks).split([parameter.numel() for parameter in self.parameters])
            for parameter, part in zip(self.parameters, parts, strict=True):
                parameter.grad = part.view_as(parameter)
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
        for parameter in self.parameters:
            parameter.grad = None
        self._share_layers()

    def _share_layers(self):
        """Sends the layers that this process updated to the others and takes theirs."""
        if self.ranks == 1:
            return
        with torch.no_grad():
            for index, layer in enumerate(self.layers):
                flat = torch.cat([parameter.flatten() for parameter in layer])
                distributed.broadcast(flat, src=index % self.ranks)
                for parameter, part in zip(layer, flat.split([parameter.numel() for parameter in layer]), strict=True):
                    parameter.copy_(part.view_as(parameter))

    def state_dict(self):
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states):
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)
