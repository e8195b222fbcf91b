"""CTC networks whose padding changes nothing.

wav2vec2-base and its kin normalise the first convolution over the whole padded length (a group norm
with one channel a group), so that a clip's logits depend on the clips it is batched with. Here the
statistics come from the clip's own frames. A clip in a batch then reads as it does alone, which is
how pipeline() reads it, and a gradient does not depend on how clips were grouped.
"""

from typing import Any

import torch
from torch import Tensor, nn


class OwnLengthGroupNorm(nn.GroupNorm):
    """Group norm over time of each clip's own frames; weights and names as in nn.GroupNorm.

    `lengths` [batch] holds the frames of each clip during a forward pass, None for unpadded input.
    """

    lengths: Tensor | None = None

    def forward(self, hidden: Tensor) -> Tensor:  # [batch, channels, frames]
        if self.lengths is None:
            return super().forward(hidden)
        # float32: half precision counts no further than 65,504 frames, some 20 s
        given, hidden = hidden.dtype, hidden.float()
        return (self._each(hidden) if hidden.is_cpu else self._together(hidden)).to(given)

    def _each(self, hidden: Tensor) -> Tensor:
        """Clip by clip through torch's own kernel: on a CPU 2 to 5 times as fast, forth and back, as the masks."""
        lengths: Any = self.lengths
        frames, own = hidden.shape[-1], []
        for clip, length in zip(hidden, lengths.tolist(), strict=True):
            normed = nn.functional.group_norm(clip[None, :, :length], self.num_groups, self.weight, self.bias, self.eps)
            own.append(nn.functional.pad(normed[0], (0, frames - length)))
        return torch.stack(own)

    def _together(self, hidden: Tensor) -> Tensor:
        """All clips at once, by masks: few kernels, and nothing for a GPU to wait for."""
        lengths: Any = self.lengths
        mask = torch.arange(hidden.shape[-1], device=hidden.device) < lengths[:, None]
        mask = mask[:, None, :].float()
        count = lengths[:, None, None].float()
        mean = (hidden * mask).sum(-1, keepdim=True) / count
        centred = (hidden - mean) * mask
        variance = centred.square().sum(-1, keepdim=True) / count
        scale = self.weight[:, None] * torch.rsqrt(variance + self.eps)
        normed: Tensor = centred * scale + self.bias[:, None]
        return normed


def ignore_padding(model: Any) -> None:
    """Teach `model` (a CTC network of transformers) to take statistics over each clip's own frames.

    The state dict keeps its names; models without such a group norm are left alone.
    """
    for module in model.modules():
        norm = getattr(module, "layer_norm", None)
        if type(norm) is nn.GroupNorm and norm.num_groups == norm.num_channels and hasattr(module, "conv"):
            own = OwnLengthGroupNorm(norm.num_groups, norm.num_channels, norm.eps, norm.affine)
            own.weight, own.bias = norm.weight, norm.bias  # handed on, not copied: `check` has networks without weights
            module.layer_norm = own
            _tell_lengths(model, own, module.conv)


def _tell_lengths(model: Any, norm: OwnLengthGroupNorm, conv: nn.Conv1d) -> None:
    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        mask = kwargs.get("attention_mask")
        norm.lengths = None if mask is None else (mask.sum(-1) - conv.kernel_size[0]) // conv.stride[0] + 1

    # on the inner network: peft calls the outer one's forward directly, past its hooks
    model.base_model.register_forward_pre_hook(before, with_kwargs=True)
