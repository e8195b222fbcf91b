"""LoRA (arXiv:2106.09685) around any recogniser, and back to a plain network."""

import warnings
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model

from hf_asr import recipe
from hf_asr.models.recogniser import CheckpointError, Recogniser


def require_targets(recogniser: Recogniser, lora: recipe.Lora) -> None:
    """Raises CheckpointError when the network has no layers of these names, or all of them are frozen."""
    layers = {name.rpartition(".")[2] for name, _ in recogniser.model.named_modules()}
    missing = [target for target in lora.targets if target not in layers]
    if missing:
        near = sorted(layer for layer in layers if any(target.strip("_") in layer for target in missing))
        hint = f"; it has {', '.join(near)}" if near else ""
        raise CheckpointError(f"model.lora.targets: no layer of this network is named {', '.join(missing)}{hint}")
    if not _targets(recogniser, lora):
        raise CheckpointError("model.freeze leaves none of model.lora.targets to train")


def _targets(recogniser: Recogniser, lora: recipe.Lora) -> list[str]:
    """Full names of the layers that get matrices: those of frozen parts do not."""
    return [
        name
        for name, layer in recogniser.model.named_modules()
        if name.rpartition(".")[2] in lora.targets and any(weight.requires_grad for weight in layer.parameters())
    ]


def adapted(recogniser: Recogniser, lora: recipe.Lora | None) -> Any:
    """The network to train: the recogniser's own, or the same with LoRA layers inside (arXiv:2106.09685)."""
    if lora is None:
        return recogniser.model
    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # a fraction is fine: it only scales
        lora_dropout=lora.dropout,
        target_modules=_targets(recogniser, lora),
        # a new CTC head is random: matrices beside it would not do
        modules_to_save=["lm_head"] if recogniser.family == "ctc" else None,
    )
    with warnings.catch_warnings():
        # peft asks transformers 5.23 for a property by its old name
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return get_peft_model(recogniser.model, settings)


def merged(network: Any) -> Any:
    """The plain network, LoRA's matrices added into the weights."""
    return network.merge_and_unload() if isinstance(network, PeftModel) else network
