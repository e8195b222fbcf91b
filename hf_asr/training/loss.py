"""The loss of both families: negative log likelihood summed over labels, to be divided by what was summed."""

from typing import Any

import torch
from torch import Tensor

from hf_asr.models.recogniser import Recogniser
from hf_asr.models.whisper import context


def summed_loss(recogniser: Recogniser, model: Any, inputs: dict[str, Any], labels: Tensor) -> Tensor:
    """Negative log likelihood in nats, summed over the labels [batch, longest] that are not -100."""
    if recogniser.family == "whisper":
        seconds = inputs["input_features"].shape[-1] / 100  # mel frames of 10 ms
        with context(recogniser.model, seconds):
            logits = model(**inputs, use_cache=False).logits
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), labels.flatten(), ignore_index=-100, reduction="sum"
        )
    frames = inputs.pop("frames")
    logits = model(**inputs).logits
    asked = labels != -100
    with torch.backends.cudnn.flags(enabled=False):  # its CTC wants short labels and is not deterministic
        loss: Tensor = torch.nn.functional.ctc_loss(
            torch.log_softmax(logits.float(), -1).transpose(0, 1),
            labels[asked],
            frames.cpu(),
            asked.sum(-1).cpu(),
            blank=recogniser.model.config.pad_token_id,
            reduction="none",
            zero_infinity=True,
        )
    return (loss * asked.any(-1)).sum()  # nothing is asked of a clip that could not be read
