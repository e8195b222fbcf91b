"""The shape of a DeepSpeech2 network. This file travels with every saved model and imports transformers only."""

from typing import Any

from transformers import PreTrainedConfig

SIZES: dict[str, dict[str, Any]] = {
    # 30 ms a frame: a third of the steps of the recurrent layers, and still two frames a letter of quick speech
    "small": {
        "conv_channels": 32,
        "conv_kernels": [[11, 21], [5, 11]],
        "conv_strides": [[3, 2], [1, 2]],
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "hidden_dropout": 0.0,
    },
    # the kernels of the paper, 20 ms a frame
    "base": {
        "conv_channels": 32,
        "conv_kernels": [[11, 41], [11, 21]],
        "conv_strides": [[2, 2], [1, 2]],
        "hidden_size": 656,
        "num_hidden_layers": 5,
        "hidden_dropout": 0.1,
    },
    "large": {
        "conv_channels": 32,
        "conv_kernels": [[11, 41], [11, 21]],
        "conv_strides": [[2, 2], [1, 2]],
        "hidden_size": 1024,
        "num_hidden_layers": 7,
        "hidden_dropout": 0.1,
    },
}


class DeepSpeech2Config(PreTrainedConfig):
    """DeepSpeech2 (Amodei et al. 2015, arXiv:1512.02595).

    `size` (small, base, large) fills in what is not given. A `streaming` network hears the past and `lookahead`
    frames to come; the others hear the whole clip.

    Kernels and strides are [time, frequency] of each convolution; kernels are odd, so that padding is the same on
    both sides.
    """

    model_type = "deepspeech2"

    vocab_size: int | None = 32
    size: str = "small"
    num_mel_bins: int = 80
    hop_length: int = 160
    conv_channels: int | None = None
    conv_kernels: list[list[int]] | None = None
    conv_strides: list[list[int]] | None = None
    hidden_size: int | None = None
    num_hidden_layers: int | None = None
    hidden_dropout: float | int | None = None
    streaming: bool = False
    lookahead: int = 20
    initializer_range: float = 0.02
    ctc_zero_infinity: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        if self.size not in SIZES:
            raise ValueError(f"size must be one of {', '.join(SIZES)}, got {self.size!r}")
        for name, value in SIZES[self.size].items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        if any(length % 2 == 0 for kernel in self.conv_kernels or [] for length in kernel):
            raise ValueError(f"conv_kernels must be odd, got {self.conv_kernels}")
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]

    @property
    def inputs_to_logits_ratio(self) -> int:
        """Samples a frame of logits stands for."""
        ratio = self.hop_length
        for time, _ in self.conv_strides or []:
            ratio *= time
        return ratio
