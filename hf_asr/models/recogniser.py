"""A recogniser: a pretrained network together with how it hears (features) and writes (tokens)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from torch import nn

from hf_asr.errors import UserError
from hf_asr.models.deepspeech2 import DeepSpeech2FeatureExtractor
from hf_asr.text.pronunciation import Pronunciations

Family = Literal["ctc", "whisper"]
MEL_WINDOW, MEL_HOP = 400, 160  # samples of 16 kHz, in every mel front end of speech checkpoints


class CheckpointError(UserError):
    """The checkpoint cannot be used as asked; the message says why and what to do."""


@dataclass(frozen=True)
class Recogniser:
    """What every later room is handed: to train, to decode with, to save."""

    family: Family
    model: Any  # PreTrainedModel; its heads and generate() are not typed there
    processor: Any  # feature_extractor and tokenizer, as saved and as pipeline() loads them
    encode: Callable[[str], list[int]]  # transcript → label ids, without the prefix
    prefix: tuple[int, ...] = ()  # Whisper: start, language, task, no timestamps
    trailing_silence: float = 2.0  # Whisper: seconds kept after a clip at its own length
    lexicon: Pronunciations | None = None  # where units are phonemes: the words they are read as
    about: str = ""  # where weights and head come from, in words, for the screen and the card

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())


def frame_counter(recogniser: Recogniser) -> Callable[[int], int] | None:
    """Samples at 16 kHz → logit frames of the clip alone, exactly; None for Whisper, whose labels need no frames."""
    if recogniser.family == "whisper":
        return None
    network, extractor = recogniser.model, recogniser.processor.feature_extractor

    @cache
    def mel_frames(hops: int) -> int:
        # asked of the extractor itself: w2v-bert's stacks two frames and fills up the last pair, which its
        # attention mask leaves out and pipeline() reads all the same
        silence = np.zeros(MEL_WINDOW + hops * MEL_HOP, np.float32)
        return int(extractor(silence, sampling_rate=16_000, return_tensors="np")["input_features"].shape[1])

    def frames(samples: int) -> int:
        if isinstance(extractor, DeepSpeech2FeatureExtractor):
            heard = extractor.frames(samples)
        elif network.main_input_name == "input_features":
            heard = mel_frames(max(samples - MEL_WINDOW, 0) // MEL_HOP)
        else:
            heard = samples
        return int(network._get_feat_extract_output_lengths(heard))

    return frames


def label_limit(recogniser: Recogniser) -> int | None:
    """The longest transcript in tokens: Whisper's decoder positions less prefix and end."""
    if recogniser.family == "ctc":
        return None
    return int(recogniser.model.config.max_target_positions) - len(recogniser.prefix) - 1


def freeze(recogniser: Recogniser, parts: tuple[str, ...]) -> None:
    """Leave parts of the network as they are: feature_encoder, encoder or decoder.

    all_but_norms trains the scales and shifts of the normalisation layers alone: a weight a feature, as for a new
    speaker in arXiv:1601.02828; running statistics follow the new data, too.
    Raises CheckpointError for a part the network does not have.
    """
    for part in parts:
        if part == "all_but_norms":
            recogniser.model.requires_grad_(False)
            for module in recogniser.model.modules():
                if "Norm" in type(module).__name__ and not any(module.children()):  # a whole layer is named so, too
                    module.requires_grad_(True)
            continue
        if recogniser.family == "whisper":
            inner = recogniser.model.model
            found: nn.Module | None = {"encoder": inner.encoder, "decoder": inner.decoder}.get(part)
        else:
            base = recogniser.model.base_model
            extractor = getattr(base, "feature_extractor", getattr(base, "feature_projection", None))
            found = {"encoder": base, "feature_encoder": extractor}.get(part)
        if found is None:
            raise CheckpointError(f"model.freeze: {type(recogniser.model).__name__} has no {part}")
        frozen: Any = found.requires_grad_(False)
        for module in frozen.modules():
            # wav2vec2's front end asks for the waveform's own gradient while training unless told: its backward pass
            # would be run all the same, a sixth of a step's time (AMD EPYC, float32)
            if hasattr(module, "_requires_grad"):
                module._requires_grad = False
