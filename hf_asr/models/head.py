"""How a network writes the data at hand: the units of its checkpoint, or new ones and a new CTC head for them."""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import Wav2Vec2Processor

from hf_asr import recipe
from hf_asr.models.recogniser import Recogniser
from hf_asr.text import vocabulary
from hf_asr.text.pronunciation import Pronunciations, pronounce


@dataclass(frozen=True)
class Written:
    """How transcripts become labels: a tokenizer, its encoding, and whether the checkpoint brought it."""

    tokenizer: Any
    encode: Callable[[str], list[int]]
    kept: bool
    lexicon: Pronunciations | None = None  # of phonemes
    unpronounced: tuple[str, ...] = ()  # words of the transcripts that it lacks, the most frequent first


def written_for(
    recogniser: Recogniser,
    texts: Iterable[str],
    units: recipe.Units,
    language: str | None = None,
    more: Iterable[str] = (),
) -> Written:
    """The units for these training transcripts: the checkpoint's own when they cover them, else new ones.

    Phonemes are never taken for letters, nor letters for phonemes, nor for the subwords that were asked for. `more`:
    other texts whose words must be pronounceable. Raises PronunciationError.
    """
    own, texts = recogniser.processor.tokenizer, list(texts)
    if recogniser.family == "whisper":
        return Written(own, recogniser.encode, kept=True)
    if units.kind == "phoneme":
        return _in_phonemes(recogniser, texts, units, language, more)
    own = None if recogniser.lexicon is not None else own
    too_small = own is not None and units.kind == "subword" and vocabulary.is_of_letters(own)
    if own is not None and not too_small and not any(vocabulary.unknown_characters(own, text) for text in texts):
        return Written(own, recogniser.encode, kept=True)
    if own is not None and vocabulary.mostly_known(own, texts):
        texts.append(" ".join(vocabulary.letters(own)))  # a few letters more, and none that it knew forgotten
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = vocabulary.ctc_tokenizer(vocabulary.build(texts, units), Path(folder))
        return Written(tokenizer, vocabulary.encoder(tokenizer), kept=False)


def _in_phonemes(
    recogniser: Recogniser, texts: list[str], units: recipe.Units, language: str | None, more: Iterable[str]
) -> Written:
    own, more = recogniser.lexicon, list(more)
    if own is not None and not any(own.outside(text) for text in [*texts, *more]):
        return Written(recogniser.processor.tokenizer, recogniser.encode, kept=True, lexicon=own)
    lexicon, unpronounced = pronounce(texts, more, units.lexicon, language)
    if own is not None:
        # some words more, and none that it knew forgotten
        lexicon = Pronunciations({**lexicon.of, **{word: own.of[word] for word in own.of if word not in lexicon.of}})
        unpronounced = tuple(word for word in unpronounced if word not in own.of)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = vocabulary.ctc_tokenizer(vocabulary.phonemes(lexicon), Path(folder))
    return Written(tokenizer, vocabulary.encoder(tokenizer), False, lexicon, unpronounced)


def with_head(recogniser: Recogniser, written: Written) -> Recogniser:
    """The recogniser that writes in these units: with its own head, or a new one.

    In a new head the units that the old one knew, in either case, keep their weights; the others are random.
    """
    if written.kept:
        return replace(
            recogniser, about=recogniser.about + ("" if recogniser.family == "whisper" else ", its own head")
        )
    model, size = recogniser.model, len(written.tokenizer)
    old = model.lm_head
    model.lm_head = torch.nn.Linear(old.in_features, size, device=old.weight.device)
    model.lm_head.weight.data.normal_(std=getattr(model.config, "initializer_range", 0.02))
    model.lm_head.bias.data.zero_()
    known = vocabulary.shared(recogniser.processor.tokenizer, written.tokenizer)
    for new, before in known.items():
        model.lm_head.weight.data[new] = old.weight.data[before]
        model.lm_head.bias.data[new] = old.bias.data[before]
    model.config.vocab_size = size
    model.config.pad_token_id = written.tokenizer.pad_token_id
    model.config.bos_token_id = model.config.eos_token_id = None
    return replace(
        recogniser,
        processor=Wav2Vec2Processor(recogniser.processor.feature_extractor, written.tokenizer),
        encode=written.encode,
        lexicon=written.lexicon,
        about=f"{recogniser.about}, a new head of {size} units" + (f", {len(known)} of them known" if known else ""),
    )
