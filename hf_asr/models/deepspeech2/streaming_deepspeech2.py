"""DeepSpeech2 as the audio comes in: the logits of the whole clip, each as soon as its frames were heard.

This file travels with every saved model and imports numpy and torch only. Nothing is approximated: a convolution's
frame is computed once everything under its kernel is there, recurrent layers keep their state, and the lookahead
waits for its frames. Only the two ends of a clip are padded, as they are when it is read whole.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Stream:
    """Reads one clip. Raises ValueError for a network that needs the whole clip, or its features do."""

    def __init__(self, network: Any, feature_extractor: Any) -> None:
        if not network.config.streaming:
            raise ValueError("this network hears whole clips: train one with `streaming: true`")
        if feature_extractor.normalise != "fixed":
            raise ValueError("these features are normalised over whole clips: `normalise` must be `fixed`")
        self.network, self.extractor = network, feature_extractor
        inner = network.deepspeech2
        self.inner, device = inner, network.device
        front = inner.feature_extractor
        self.waiting = np.zeros(0, np.float32)  # samples that fill no frame yet
        self.heard = 0  # samples so far
        bins, kept = network.config.num_mel_bins, []
        for convolution in front.convolutions:
            padding = convolution.padding[0]
            kept.append(torch.zeros(1, convolution.in_channels, padding, bins, device=device))
            bins = (bins - 1) // convolution.stride[1] + 1
        self.kept = kept  # per convolution, the frames that the next output needs
        self.states: list[Tensor | None] = [None] * len(inner.layers)
        self.coming = torch.zeros(1, 0, network.config.hidden_size, device=device)  # under the lookahead

    @torch.no_grad()
    def push(self, samples: np.ndarray) -> Tensor:
        """Samples at 16 kHz to the logits [frames, units] that they complete, maybe none."""
        self.heard += len(samples)
        self.waiting = np.concatenate([self.waiting, np.asarray(samples, np.float32)])
        return self._read(self.waiting, last=False)

    @torch.no_grad()
    def finish(self) -> Tensor:
        """The logits of the last frames, that waited for what would come."""
        # as a clip that is shorter than a window, it is filled up to one
        short = self.extractor.win_length - self.heard
        rest = np.pad(self.waiting, (0, short)) if short > 0 else self.waiting
        return self._read(rest, last=True)

    def _read(self, samples: np.ndarray, last: bool) -> Tensor:
        extractor, device = self.extractor, self.network.device
        frames = max(0, 1 + (len(samples) - extractor.win_length) // extractor.hop_length)
        hidden = torch.zeros(1, 0, self.network.config.num_mel_bins, device=device)
        if frames:
            used = (frames - 1) * extractor.hop_length + extractor.win_length
            hidden = extractor(samples[:used], device=device)["input_features"].to(self.network.dtype)
            self.waiting = samples[frames * extractor.hop_length :]
        hidden = self._convolved(hidden[:, None], last)
        for number, layer in enumerate(self.inner.layers):
            hidden, self.states[number] = _step(layer, hidden, self.states[number])
        hidden = self._looked_ahead(hidden, last)
        mask = torch.ones(hidden.shape[:2], device=device)
        hidden = self.inner.norm(hidden.transpose(1, 2), mask).transpose(1, 2)
        logits: Tensor = self.network.lm_head(hidden)
        return logits[0]

    def _convolved(self, hidden: Tensor, last: bool) -> Tensor:
        front = self.inner.feature_extractor
        for number, (convolution, norm) in enumerate(zip(front.convolutions, front.norms, strict=True)):
            hidden = torch.cat([self.kept[number], hidden], 2)
            length, step = convolution.kernel_size[0], convolution.stride[0]
            if last:
                hidden = nn.functional.pad(hidden, (0, 0, 0, convolution.padding[0]))
            outputs = max(0, (hidden.shape[2] - length) // step + 1)
            self.kept[number] = hidden[:, :, outputs * step :]
            if outputs:
                heard = hidden[:, :, : (outputs - 1) * step + length]
                found = nn.functional.conv2d(
                    heard, convolution.weight, None, convolution.stride, (0, convolution.padding[1])
                )
                hidden = norm(found, torch.ones(1, outputs, device=found.device)).clamp(0, 20)
            else:
                bins = (hidden.shape[3] - 1) // convolution.stride[1] + 1
                hidden = hidden.new_zeros(1, convolution.out_channels, 0, bins)
        return hidden.transpose(1, 2).flatten(2)

    def _looked_ahead(self, hidden: Tensor, last: bool) -> Tensor:
        frames = self.inner.lookahead.frames
        self.coming = torch.cat([self.coming, hidden], 1)
        given = nn.functional.pad(self.coming, (0, 0, 0, frames)) if last else self.coming
        outputs = max(0, given.shape[1] - frames)
        if not outputs:
            return hidden[:, :0]
        self.coming = self.coming[:, outputs:]
        weight = self.inner.lookahead.convolution.weight
        found = nn.functional.conv1d(given.transpose(1, 2), weight, groups=weight.shape[0])
        return found.transpose(1, 2).clamp(-20, 20)


def _step(layer: Any, hidden: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor | None]:
    if not hidden.shape[1]:
        return hidden.new_zeros(1, 0, layer.forth.hidden_size), state
    mask = torch.ones(hidden.shape[:2], device=hidden.device)
    found, state = layer.forth(layer.norm(hidden.transpose(1, 2), mask).transpose(1, 2).contiguous(), state)
    return found, state
