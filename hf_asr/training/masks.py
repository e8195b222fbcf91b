"""SpecAugment where a network does it itself: networks that hear the waveform mask their own hidden states.

A recipe says: so many masks, the longest so great a share of the clip; the mean mask is half of that. A network of
transformers says: this share of the frames, in spans of `mask_time_length` frames (10 are 0.2 s). What the two have
in common is the share that is masked, masks * longest / 2, so that is handed over; the length of a span stays the
network's own. Its masks are drawn from numpy's global generator, which checkpoints keep, so resuming changes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from hf_asr.models.recogniser import CheckpointError, Recogniser
from hf_asr.recipe.augment import SpecAugment


def own_masks(settings: SpecAugment) -> dict[str, Any]:
    """The recipe's masks over time in the words of a wav2vec2 configuration; those over channels stay its own."""
    share = min(settings.time_masks * settings.time_share / 2, 1.0)
    # at least two masks, as some configurations have it, would be two fifths of a clip of one second
    return {"apply_spec_augment": True, "mask_time_prob": share, "mask_time_min_masks": 0}


@contextmanager
def spec_augment(recogniser: Recogniser, settings: SpecAugment | None) -> Iterator[None]:
    """While the block runs the network masks as the recipe says; afterwards its configuration is its own again.

    So what is saved keeps the checkpoint's values, and no weight that plain loading would not know. Networks that
    are given mel features mask nothing inside the block: their input is masked already, in the batch.
    Raises CheckpointError for a network that hears the waveform and cannot mask.
    """
    if settings is None:
        yield
        return
    network = recogniser.model.base_model
    mel = recogniser.model.main_input_name == "input_features"
    if not mel and not hasattr(network, "_mask_hidden_states"):
        raise CheckpointError(f"training.augment.spec_augment: {type(network).__name__} has no masks; leave it out")
    config = network.config
    wanted = {"apply_spec_augment": False} if mel else own_masks(settings)
    before = {name: getattr(config, name) for name in wanted if hasattr(config, name)}
    # built with its masks off, a network has no vector to mask with: zeros then, outside the saved weights
    lent = not mel and not hasattr(network, "masked_spec_embed")
    if lent:
        network.register_buffer(
            "masked_spec_embed", torch.zeros(config.hidden_size, device=network.device), persistent=False
        )
    for name, value in wanted.items():
        setattr(config, name, value)
    try:
        yield
    finally:
        for name in wanted:
            if name in before:
                setattr(config, name, before[name])
            else:
                delattr(config, name)
        if lent:
            del network.masked_spec_embed
