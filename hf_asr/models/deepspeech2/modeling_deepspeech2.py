"""DeepSpeech2 with a CTC head (Amodei et al. 2015, arXiv:1512.02595).

This file travels with every saved model and imports torch and transformers only. Padding changes nothing: statistics,
convolutions and recurrent layers see a clip's own frames, so a clip in a batch gives the logits that it gives alone.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import CausalLMOutput

from .configuration_deepspeech2 import DeepSpeech2Config
from .streaming_deepspeech2 import Stream


class SequenceNorm(nn.Module):
    """Batch normalisation over all frames of all clips of a batch, padding left out (section 3.2 of the paper).

    Channels are dimension 1 and time is dimension 2. In evaluation the running statistics make it a scale and a
    shift, the same for every frame.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.momentum, self.eps = momentum, eps

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """hidden [batch, channels, frames, ...], mask [batch, frames] to the same shape, 0 in the padding."""
        shape = (1, -1) + (1,) * (hidden.dim() - 2)
        own = mask.view(mask.shape[0], 1, mask.shape[1], *(1,) * (hidden.dim() - 3)).float()
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = self._statistics(hidden.float(), own)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return (hidden * scale.view(shape).to(hidden.dtype) + shift.view(shape).to(hidden.dtype)) * own.to(hidden.dtype)

    def _statistics(self, hidden: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        over = [dim for dim in range(hidden.dim()) if dim != 1]
        count = own.sum() * hidden[0, 0, 0].numel()
        mean = (hidden * own).sum(over) / count
        centred = (hidden - mean.view(1, -1, *(1,) * (hidden.dim() - 2))) * own
        variance = centred.square().sum(over) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), self.momentum)
        return mean, variance


class Convolutions(nn.Module):
    """Two-dimensional convolutions over time and frequency, each normalised and clipped to 0 to 20."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.strides = [time for time, _ in config.conv_strides]
        channels, bins = 1, config.num_mel_bins
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        for kernel, stride in zip(config.conv_kernels, config.conv_strides, strict=True):
            padding = (kernel[0] // 2, kernel[1] // 2)
            self.convolutions.append(
                nn.Conv2d(channels, config.conv_channels, tuple(kernel), tuple(stride), padding, bias=False)
            )
            self.norms.append(SequenceNorm(config.conv_channels))
            channels, bins = config.conv_channels, (bins - 1) // stride[1] + 1
        self.size = channels * bins

    def lengths(self, frames: Any) -> Any:
        for stride in self.strides:
            frames = (frames - 1) // stride + 1
        return frames

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """features [batch, frames, bins], 0 in the padding, to [batch, fewer frames, size]."""
        hidden = features[:, None]
        for convolution, norm, stride in zip(self.convolutions, self.norms, self.strides, strict=True):
            lengths = (lengths - 1) // stride + 1
            hidden = convolution(hidden)
            hidden = norm(hidden, own_frames(hidden.shape[2], lengths)).clamp(0, 20)
        return hidden.transpose(1, 2).flatten(2)


class Recurrent(nn.Module):
    """A normalised GRU layer (arXiv:1406.1078), or one in each direction, whose outputs are added.

    The way back reads each clip reversed within its own frames and dense, not packed: on a CPU a packed layer takes
    1.5 to 4 times as long, because it goes through the frames of a batch of changing size.
    """

    def __init__(self, size: int, hidden_size: int, both: bool) -> None:
        super().__init__()
        self.norm = SequenceNorm(size)
        self.forth = nn.GRU(size, hidden_size, batch_first=True)
        self.back = nn.GRU(size, hidden_size, batch_first=True) if both else None

    def forward(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """[batch, frames, size] to [batch, frames, hidden size]; what stands in the padding means nothing."""
        mask = own_frames(hidden.shape[1], lengths)
        hidden = self.norm(hidden.transpose(1, 2), mask).transpose(1, 2).contiguous()
        found: Tensor = self.forth(hidden)[0]
        if self.back is not None:
            turned = reversal(hidden.shape[1], lengths)[..., None]
            back = self.back(hidden.gather(1, turned.expand_as(hidden)))[0]
            found = found + back.gather(1, turned.expand_as(back))
        return found


class Lookahead(nn.Module):
    """Each feature of a frame weighed with itself in the `frames` frames to come (section 3.6 of the paper)."""

    def __init__(self, size: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.convolution = nn.Conv1d(size, size, frames + 1, groups=size, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """[batch, frames, size], 0 in the padding, to the same shape."""
        found: Tensor = self.convolution(nn.functional.pad(hidden.transpose(1, 2), (0, self.frames)))
        return found.transpose(1, 2)


def own_frames(longest: int, lengths: Tensor) -> Tensor:
    """The mask [batch, longest] of each clip's own frames."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


def reversal(longest: int, lengths: Tensor) -> Tensor:
    """For each place [batch, longest] the place it takes when a clip's own frames are reversed."""
    places = torch.arange(longest, device=lengths.device).expand(len(lengths), -1)
    return torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)


class DeepSpeech2PreTrainedModel(PreTrainedModel):
    config_class = DeepSpeech2Config
    base_model_prefix = "deepspeech2"
    main_input_name = "input_features"

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)  # type: ignore[no-untyped-call]
        # by transformers' own functions, which leave alone what was loaded
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.GRU):
            size, weights = module.hidden_size, dict(module.named_parameters())
            init.xavier_uniform_(weights["weight_ih_l0"])
            gates = [nn.init.orthogonal_(torch.empty(size, size)) for _ in range(3)]
            init.copy_(weights["weight_hh_l0"], torch.cat(gates))
            init.zeros_(weights["bias_ih_l0"])
            init.zeros_(weights["bias_hh_l0"])
        elif isinstance(module, SequenceNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
            init.zeros_(module.running_mean)
            init.ones_(module.running_var)
        elif isinstance(module, Lookahead):
            itself = torch.zeros_like(module.convolution.weight)  # at first a frame hears itself only
            itself[..., 0] = 1
            init.copy_(module.convolution.weight, itself)


class DeepSpeech2Model(DeepSpeech2PreTrainedModel):
    """Spectrogram to hidden states: convolutions, recurrent layers and, when streaming, the lookahead."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.feature_extractor = Convolutions(config)
        sizes = [self.feature_extractor.size] + [config.hidden_size] * (config.num_hidden_layers - 1)
        self.layers = nn.ModuleList(Recurrent(size, config.hidden_size, not config.streaming) for size in sizes)
        self.lookahead = Lookahead(config.hidden_size, config.lookahead) if config.streaming else None
        self.norm = SequenceNorm(config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(self, input_features: Tensor, lengths: Tensor) -> Tensor:
        """[batch, frames, bins] and each clip's own frames to hidden states [batch, fewer frames, hidden size]."""
        own = own_frames(input_features.shape[1], lengths)[..., None]
        hidden = self.feature_extractor(input_features * own, lengths)
        lengths = self.feature_extractor.lengths(lengths)
        for layer in self.layers:
            hidden = self.dropout(layer(hidden, lengths))
        own = own_frames(hidden.shape[1], lengths)
        if self.lookahead is not None:
            hidden = self.lookahead(hidden * own[..., None]).clamp(-20, 20)
        found: Tensor = self.norm(hidden.transpose(1, 2), own)
        return found.transpose(1, 2)


class DeepSpeech2ForCTC(DeepSpeech2PreTrainedModel):
    """DeepSpeech2 that writes: logits of the units in each frame."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.deepspeech2 = DeepSpeech2Model(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_features: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **_: Any,
    ) -> CausalLMOutput:
        """Logits [batch, frames, units] of input_features [batch, frames, bins].

        attention_mask [batch, frames] is 1 in a clip's own frames; labels [batch, longest] are -100 in the padding,
        and with them the mean loss of the clips is there, too, in nats.
        """
        if attention_mask is None:
            lengths = torch.full(input_features.shape[:1], input_features.shape[1], device=input_features.device)
        else:
            lengths = attention_mask.sum(-1)
        logits = self.lm_head(self.deepspeech2(input_features, lengths))
        return CausalLMOutput(
            loss=None if labels is None else self._loss(logits, labels, lengths),
            logits=logits,
        )

    def _loss(self, logits: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        asked = labels >= 0
        return nn.functional.ctc_loss(
            logits.float().log_softmax(-1).transpose(0, 1),
            labels[asked],
            self._get_feat_extract_output_lengths(lengths).cpu(),
            asked.sum(-1).cpu(),
            blank=self.config.pad_token_id,
            zero_infinity=self.config.ctc_zero_infinity,
        )

    def _get_feat_extract_output_lengths(self, frames: Any) -> Any:
        """Frames of logits for so many frames of the spectrogram."""
        return self.deepspeech2.feature_extractor.lengths(frames)

    def stream(self, feature_extractor: Any) -> Stream:
        """A reader of audio as it comes in, whose logits are those of the whole clip. Raises ValueError."""
        return Stream(self, feature_extractor)
