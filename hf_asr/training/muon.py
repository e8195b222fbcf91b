"""Muon, for training from random weights: matrices take steps of equal size in every direction.

Keller Jordan and others, "Muon: An optimizer for hidden layers in neural networks" (2024); the size of a step
follows arXiv:2502.16982, so that learning rates are those of AdamW. `torch.optim.Muon` takes matrices only; the
kernels of convolutions are much of a small wav2vec2: with them the loss was 2.34 after 200 steps, without 2.55
(docs/log.md).
"""

from collections.abc import Iterator
from math import sqrt
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from hf_asr.training.precision import computes_in_bf16

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # the largest slope at 0 that still stays near 1
ITERATIONS = 5
SIZE = 0.6  # root mean square of a step at rate 1; 0.2 in the paper, as AdamW's: here 2.53 against 2.40 after 200 steps


def orthogonal(matrix: Tensor) -> Tensor:
    """About U Vᵀ of U S Vᵀ, [rows, columns]: singular values come to lie between 0.7 and 1.2.

    The sign of every direction is kept, its size is not; a matrix of zeros stays one. In bfloat16 where that is fast.
    """
    x = matrix.bfloat16() if computes_in_bf16(matrix.device) else matrix.float()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=1e-7)
    # float32 alone is exact enough to collect what all iterations multiply by
    x = _iterated_small(x) if x.dtype == torch.float32 and x.shape[1] >= 3 * x.shape[0] else _iterated(x)
    return x.T if tall else x


def _iterated(x: Tensor) -> Tensor:
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _iterated_small(x: Tensor) -> Tensor:
    """The same for a wide matrix, [rows, columns]: all but two products are [rows, rows].

    A step multiplies by a polynomial of x xᵀ, and the next x xᵀ follows from it alone. 256 by 1,024 on one core:
    12 ms in place of 19.
    """
    a, b, c = NEWTON_SCHULZ
    gram = x @ x.T
    total = torch.eye(len(x), dtype=x.dtype, device=x.device)
    for _ in range(ITERATIONS):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        total, gram = factor @ total, factor @ gram @ factor
    return total @ x


def matrices(network: nn.Module) -> Iterator[Tensor]:
    """Weights that Muon trains: those of linear layers and ungrouped convolutions between features and logits.

    Left to AdamW: norms and biases, embeddings, what reads the waveform itself, recurrent layers (their gates are
    stacked in one matrix), reparametrised weights, and the layer that writes the logits, which is the last.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)]
    for layer in layers[:-1]:
        first = not isinstance(layer, nn.Linear) and layer.in_channels == 1
        grouped = not isinstance(layer, nn.Linear) and layer.groups > 1
        if not first and not grouped and not hasattr(layer, "parametrizations") and layer.weight.requires_grad:
            yield layer.weight


def orthogonal_all(matrices: list[Tensor]) -> list[Tensor]:
    """`orthogonal` of each, on every process the same; each process computes its share of them."""
    if not dist.is_available() or not dist.is_initialized():
        return [orthogonal(matrix) for matrix in matrices]
    rank, processes = dist.get_rank(), dist.get_world_size()
    sizes = [matrix.numel() for matrix in matrices]
    kind = torch.bfloat16 if computes_in_bf16(matrices[0].device) else torch.float32
    flat = torch.zeros(sum(sizes), dtype=kind, device=matrices[0].device)
    parts = [part.view_as(matrix) for part, matrix in zip(flat.split(sizes), matrices, strict=True)]
    for part, matrix in list(zip(parts, matrices, strict=True))[rank::processes]:
        part.copy_(orthogonal(matrix))
    dist.all_reduce(flat)  # zeros from all but one
    return parts


class Muon(torch.optim.AdamW):
    """Muon on groups with `muon` set, AdamW on the others; one learning rate for both."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step, after which the matrices' gradients are gone. `closure` is AdamW's."""
        groups = [group for group in self.param_groups if group["muon"]]
        todo = [(weight, group) for group in groups for weight in group["params"] if weight.grad is not None]
        changes = orthogonal_all([self._ahead(weight) for weight, _ in todo]) if todo else []
        for (weight, group), change in zip(todo, changes, strict=True):
            size = group["lr"] * SIZE * sqrt(max(change.shape))
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(change.to(weight.dtype).view_as(weight), alpha=-size)
            weight.grad = None
        return super().step(closure)  # which passes over what has no gradient

    def _ahead(self, weight: Tensor) -> Tensor:
        """Nesterov's momentum as a matrix."""
        state, gradient = self.state[weight], weight.grad
        assert gradient is not None
        if not state:
            state["step"] = torch.tensor(0.0)  # AdamW asks for it when a saved state is loaded
            state["momentum_buffer"] = torch.zeros_like(gradient)
        kept = state["momentum_buffer"].lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(kept, MOMENTUM).flatten(1)


def muon(network: nn.Module, decayed: set[str], rate: float, decay: float) -> Muon:
    """The optimiser of a network. `decayed` names the parameters that take weight decay."""
    chosen = {id(weight) for weight in matrices(network)}
    groups: dict[tuple[bool, float], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            kind = id(parameter) in chosen, decay if name in decayed else 0.0
            groups.setdefault(kind, []).append(parameter)
    given = [{"params": some, "muon": by, "weight_decay": much} for (by, much), some in groups.items()]
    return Muon(given, lr=rate, betas=(0.9, 0.98))
