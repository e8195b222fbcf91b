"""A CTC network that writes the same unit whatever it hears, so that every count is known beforehand."""

from hf_asr import recipe
from hf_asr.models import checkpoints
from hf_asr.models.head import with_head, written_for
from hf_asr.models.recogniser import Recogniser
from tests import small


def recogniser(unit: str | None, seed: int = 0) -> Recogniser:
    """Writes `unit`, a letter of a, b, c; None: writes nothing. The weights below the head are those of the seed."""
    import torch

    torch.manual_seed(seed)
    found = checkpoints.load(recipe.Model(from_scratch=small.RECIPE["model"]["from_scratch"]), recipe.Whisper(), "en")
    found = with_head(found, written_for(found, ["a b c"], recipe.Units()))
    head, tokenizer = found.model.lm_head, found.processor.tokenizer
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        head.bias[tokenizer.pad_token_id if unit is None else tokenizer.convert_tokens_to_ids(unit)] = 1.0
    return found
