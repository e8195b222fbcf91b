"""Load any CTC checkpoint or Whisper, as it comes, and give it the units of the data at hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModelForCTC,
    AutoTokenizer,
    GenerationConfig,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Processor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
)

from hf_asr import recipe
from hf_asr.models import deepspeech2
from hf_asr.models.ctc import ignore_padding
from hf_asr.models.prompt import WHICH, needs_language, saved_language, set_prompt
from hf_asr.models.recogniser import CheckpointError, Family, Recogniser
from hf_asr.models.sinusoids import begin_as_spectrum
from hf_asr.recipe.errors import nearest
from hf_asr.text import vocabulary

EMBEDDED = "embedded:"


def load(model: recipe.Model, whisper: recipe.Whisper, language: str | None, skeleton: bool = False) -> Recogniser:
    """The checkpoint as it comes, in float32; `skeleton` reads no weights (for the check before training).

    Its processor has no tokenizer when it has no head to go with one. Raises CheckpointError.
    """
    config = _config(model)
    if config.model_type == "whisper":
        return _whisper(model, whisper, language, config, skeleton)
    return _ctc(model, config, skeleton)


def from_folder(folder: str, whisper: recipe.Whisper, language: str | None) -> Recogniser:
    """A saved model, or a Hub id, ready to decode; a language it was saved with stays.

    Raises CheckpointError when it has no head, or would have to guess the language.
    """
    model = recipe.Model(checkpoint=folder)
    if _config(model).model_type == "whisper":
        settings = _settings(model)
        if saved := saved_language(settings):
            whisper = whisper.model_copy(update={"language": saved[0], "task": saved[1]})
        elif needs_language(settings) and (whisper.language or language) is None:
            raise CheckpointError(f"{folder}: {WHICH}")
    found = load(model, whisper, language)
    if found.processor.tokenizer is None:
        raise CheckpointError(f"{folder} has no trained CTC head or no tokenizer: fine-tune it first")
    return found


def location(checkpoint: str) -> str:
    """What from_pretrained takes: the folder of a checkpoint that comes with the package, anything else as it is."""
    if not checkpoint.startswith(EMBEDDED):
        return checkpoint
    return str(Path(__file__).parents[1] / "checkpoints" / checkpoint.removeprefix(EMBEDDED))


def saved_beams(recogniser: Recogniser) -> int:
    """The beam width a Whisper folder was saved with; 1 for CTC."""
    return int(getattr(getattr(recogniser.model, "generation_config", None), "num_beams", None) or 1)


def _settings(model: recipe.Model) -> Any:
    return GenerationConfig.from_pretrained(location(str(model.checkpoint)), revision=model.revision or "main")


def _config(model: recipe.Model) -> Any:
    if model.checkpoint is None:
        given = {**(model.from_scratch or {}), **model.config}
        kind = str(given.pop("model_type"))
        _require_settings(AutoConfig.for_model(kind), given)
        try:
            return AutoConfig.for_model(kind, **given)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"model.from_scratch: {str(error).splitlines()[0]}") from error
    where = {"revision": model.revision, "trust_remote_code": model.trust_remote_code}
    try:
        found = AutoConfig.from_pretrained(location(model.checkpoint), **where)
        if not model.config:
            return found
        _require_settings(found, model.config)
        return AutoConfig.from_pretrained(location(model.checkpoint), **where, **model.config)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot load {model.checkpoint}: {str(error).splitlines()[0]}") from error


def _require_settings(config: Any, given: Mapping[str, Any]) -> None:
    """A name that the configuration does not have would be stored and change nothing."""
    for name in given:
        if not hasattr(config, name) and not hasattr(config, f"_{name}"):  # attn_implementation is kept as _attn_...
            raise CheckpointError(f"a {config.model_type} has no setting {name!r}{nearest(name, list(vars(config)))}")


def _weights(kind: Any, model: recipe.Model, config: Any, skeleton: bool) -> tuple[Any, bool]:
    """The network in float32 and whether its head was among the stored weights."""
    if skeleton or model.checkpoint is None:
        with torch.device("meta" if skeleton else "cpu"):
            build = kind.from_config if hasattr(kind, "from_config") else kind
            network = build(config)
        if not skeleton:
            begin_as_spectrum(network)
        return network, model.checkpoint is not None
    try:
        network, about = kind.from_pretrained(
            location(model.checkpoint),
            revision=model.revision,
            trust_remote_code=model.trust_remote_code,
            config=config,
            dtype=torch.float32,  # the file's float16 fails on CPU, and AdamW wants float32
            use_safetensors=True,  # never unpickle what a stranger stored; on the Hub the rest is converted
            output_loading_info=True,
        )
    except SafetensorError as error:
        raise CheckpointError(f"the weights of {model.checkpoint} are cut short: copy them again ({error})") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot load {model.checkpoint}: {str(error).splitlines()[0]}") from error
    return network, not any(key.startswith("lm_head") for key in about["missing_keys"])


def _whisper(
    model: recipe.Model, whisper: recipe.Whisper, language: str | None, config: Any, skeleton: bool
) -> Recogniser:
    network, _ = _weights(WhisperForConditionalGeneration, model, config, skeleton)
    if model.checkpoint is None:
        raise CheckpointError("model.from_scratch makes CTC networks; Whisper needs a checkpoint")
    processor = _beside_weights(WhisperProcessor, model, revision=model.revision or "main")
    tokenizer = processor.tokenizer
    settings = _settings(model) if skeleton else network.generation_config
    prompt = set_prompt(tokenizer, settings, whisper.language or language, whisper.task)
    network.config.forced_decoder_ids = None
    # sinusoids, that every window takes its rows from; loading leaves them trainable
    network.get_encoder().embed_positions.requires_grad_(False)

    def encode(text: str) -> list[int]:
        # with the leading space of Whisper's own training data
        return list(tokenizer(" " + text, add_special_tokens=False).input_ids)

    return Recogniser(
        family="whisper",
        model=network,
        processor=processor,
        encode=encode,
        prefix=prompt,
        trailing_silence=whisper.trailing_silence,
        about=f"weights of {model.checkpoint}, its own tokens",
    )


def _ctc(model: recipe.Model, config: Any, skeleton: bool) -> Recogniser:
    if config.vocab_size is None:
        config.vocab_size = 1  # w2v-bert will not be made without; with_head sets the real one
    network, has_head = _weights(AutoModelForCTC, model, config, skeleton)
    family: Family = "ctc"
    ignore_padding(network)
    network.config.ctc_zero_infinity = True
    tokenizer, about = None, "random weights"
    if model.checkpoint is None:
        extractor = _extractor(network)
    else:
        where = {"revision": model.revision, "trust_remote_code": model.trust_remote_code}
        extractor = _beside_weights(AutoFeatureExtractor, model, **where)
        about = f"weights of {model.checkpoint}"
        if has_head:
            try:
                tokenizer = AutoTokenizer.from_pretrained(location(model.checkpoint), **where)
            except (OSError, ValueError, KeyError, TypeError):
                tokenizer = None  # a head without its vocabulary says nothing: a new one is made and the run says so
    encode = vocabulary.encoder(tokenizer) if tokenizer is not None else _no_units
    processor = Wav2Vec2Processor(extractor, tokenizer) if tokenizer is not None else _Headless(extractor)
    lexicon = vocabulary.lexicon_of(tokenizer)
    return Recogniser(family, network, processor, encode, lexicon=lexicon, about=about)


def _beside_weights(kind: Any, model: recipe.Model, **where: Any) -> Any:
    """The checkpoint's processor or part of one. Raises CheckpointError where only weights are."""
    try:
        return kind.from_pretrained(location(str(model.checkpoint)), **where)
    except (OSError, ValueError, TypeError) as error:
        told = str(error).splitlines()[0]
        raise CheckpointError(
            f"{model.checkpoint} has weights and no processor to go with them ({told}): copy the processor's and"
            " tokenizer's files (*.json) of the model it was trained from into it"
        ) from error


def _extractor(network: Any) -> Any:
    """The features that a network from random weights learns to hear."""
    if isinstance(network.config, deepspeech2.DeepSpeech2Config):
        return deepspeech2.extractor_for(network.config)
    if network.main_input_name == "input_features":  # wav2vec2-bert
        return SeamlessM4TFeatureExtractor()
    return Wav2Vec2FeatureExtractor(return_attention_mask=True)


@dataclass(frozen=True)
class _Headless:
    """The processor of a network that has no units yet."""

    feature_extractor: Any
    tokenizer: None = None


def _no_units(text: str) -> list[int]:
    raise CheckpointError("this network has no units yet")


def save(recogniser: Recogniser, folder: Path, beams: int) -> None:
    """Everything pipeline() needs, and the decoding settings the printed WER was measured with."""
    if recogniser.family == "whisper":
        recogniser.model.generation_config.num_beams = beams
    recogniser.model.save_pretrained(folder)
    recogniser.processor.save_pretrained(folder)
