"""What a network from random weights looks like, to compare a fine-tuned one with."""

from typing import Any

from transformers import AutoConfig

from hf_asr import recipe
from hf_asr.models.checkpoints import location
from hf_asr.models.recogniser import CheckpointError

SMALL = {"model_type": "deepspeech2", "size": "small"}
OF_THE_RUN = {"vocab_size", "pad_token_id", "bos_token_id", "eos_token_id", "architectures", "dtype", "_name_or_path"}
OF_THE_RUN |= {"transformers_version"}  # an upgrade does not make it another recipe


def scratch_model(baseline: recipe.Baseline, model: recipe.Model) -> recipe.Model:
    """The section `model` of the baseline's own run. Raises CheckpointError when `same` cannot be had."""
    if isinstance(baseline.from_scratch, dict):
        return recipe.Model(from_scratch=baseline.from_scratch)
    if baseline.from_scratch == "small":
        return recipe.Model(from_scratch=SMALL)
    return recipe.Model(from_scratch=_shape(model))


def _shape(model: recipe.Model) -> dict[str, Any]:
    if model.checkpoint is None:
        raise CheckpointError("baseline.from_scratch: the run itself is from scratch: leave `baseline` out")
    found = AutoConfig.from_pretrained(
        location(model.checkpoint),
        revision=model.revision,
        trust_remote_code=model.trust_remote_code,
        **model.config,
    )
    if found.model_type == "whisper":
        raise CheckpointError(
            "baseline.from_scratch: a CTC network learns from random weights, Whisper does not: `small`"
        )
    shape = found.to_diff_dict()
    return {name: value for name, value in shape.items() if name not in OF_THE_RUN}
