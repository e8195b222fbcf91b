"""Before a step is trained: recordings, transcripts, checkpoint and units, and all that can be wrong with them."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from accelerate import PartialState

from hf_asr.data.check import fits
from hf_asr.data.clips import Clips, load_clips
from hf_asr.data.noise import sounds
from hf_asr.data.replay import balanced, with_replay
from hf_asr.data.tables import DataError
from hf_asr.decoding.fit import HeldOut, brought, hotwords, lines
from hf_asr.evaluation.evaluate import require_words
from hf_asr.evaluation.guards import Guarded, load_guards
from hf_asr.models import checkpoints
from hf_asr.models.head import Written, written_for
from hf_asr.models.recogniser import CheckpointError, Recogniser, frame_counter, freeze, label_limit
from hf_asr.models.scratch import scratch_model
from hf_asr.models.whisper import FULL_SECONDS
from hf_asr.recipe import Recipe
from hf_asr.text.normalise import normalise
from hf_asr.text.pronunciation import unpronounced
from hf_asr.text.vocabulary import unknown_characters
from hf_asr.training.lora import require_targets
from hf_asr.training.publishing import require_ready


@dataclass(frozen=True)
class Ready:
    """All that is known before a step is trained: what `check` looks at and `finetune` goes on with."""

    clips: Clips
    recogniser: Recogniser
    written: Written
    guards: tuple[Guarded, ...]


def prepare(recipe: Recipe, skeleton: bool = False) -> Ready:
    """Recordings, transcripts, checkpoint and units, and the clips that fit them; nothing is trained."""
    require_ready(recipe.hub)
    sounds(recipe.training.augment)  # a recording that cannot be read is told now, not after zero-shot
    with PartialState().main_process_first():  # the first fills the caches, the others read them
        clips = load_clips(recipe.data, recipe.text, recipe.language)
        clips = with_replay(clips, recipe.training.replay, recipe.data, recipe.text, recipe.language)
    recogniser = checkpoints.load(recipe.model, recipe.whisper, recipe.language, skeleton)
    spoken = clips.train["text"][:]  # at once: row by row datasets takes seven times as long
    written = written_for(recogniser, spoken, recipe.units, recipe.language, _also_written(recipe, clips))

    def unknown(text: str) -> set[str]:
        if written.lexicon is not None:
            return written.lexicon.outside(text)
        return set() if recogniser.family == "whisper" else unknown_characters(written.tokenizer, text)

    what = {} if written.lexicon is None else {"unknown_are": "words outside the lexicon"}
    clips = fits(clips, written.encode, frame_counter(recogniser), label_limit(recogniser), unknown, **what)
    clips = balanced(clips, recipe.training.replay)
    for side in ("train", "validation", "test"):
        if not len(getattr(clips, side)):
            raise DataError(
                f"no clips in {side}: see data.splits, or `use:` of data.sources (a source without `use` is divided:"
                " what others do not bring is taken from it)"
            )
    for side in ("validation", "test"):
        require_words(getattr(clips, side), recipe.metric, recipe.language, side)
    if recipe.decoding.lm is not None and recogniser.family == "whisper":
        raise CheckpointError("decoding.lm goes with a CTC head; Whisper has a language model inside: leave it out")
    freeze(recogniser, recipe.model.freeze)
    if recipe.model.lora is not None:
        require_targets(recogniser, recipe.model.lora)
    if recipe.baseline is not None:
        _require_baseline(recipe, clips)
    for path in recipe.decoding.lm.texts if recipe.decoding.lm else ():
        deque(lines(Path(path).expanduser()), maxlen=0)
    if recogniser.family == "whisper" and recipe.data.max_seconds > FULL_SECONDS:
        raise CheckpointError(f"data.max_seconds: Whisper hears {FULL_SECONDS:g} s of a clip: set it to that or less")
    if recipe.training.compile and recogniser.family == "whisper" and recipe.whisper.own_length:
        raise CheckpointError("training.compile: every window would be compiled anew; set whisper.own_length: false")
    with PartialState().main_process_first():
        guards = load_guards(recipe.guards, recipe.metric, recipe.language, clips.train)
    told = (
        *unpronounced(written.unpronounced),
        *_counted_wrong(clips, recipe),
        *(warning for guard in guards for warning in guard.warnings),
    )
    return Ready(replace(clips, warnings=(*clips.warnings, *told)), recogniser, written, guards)


def _require_baseline(recipe: Recipe, clips: Clips) -> None:
    """What is wrong with it is told before the fine-tuning, not after: its shape and its units."""
    assert recipe.baseline is not None
    own = scratch_model(recipe.baseline, recipe.model)
    network = checkpoints.load(own, recipe.whisper, recipe.language, skeleton=True)
    written_for(network, clips.train["text"][:], recipe.baseline.units, recipe.language, ())


def _counted_wrong(clips: Clips, recipe: Recipe) -> Iterator[str]:
    """A warning when a model would have errors that writes just what it was taught: `metric` does less than `text`."""
    sides = [(side["text"][:], side["raw"][:]) for side in (clips.validation, clips.test)]
    rows = [pair for texts, raw in sides for pair in zip(texts, raw, strict=True)]
    read = [[normalise(text, recipe.metric, recipe.language) for text in pair] for pair in rows]
    wrong = [number for number, (taught, written) in enumerate(read) if taught != written]
    if wrong:
        taught, written = read[wrong[0]]
        yield (
            f"{len(wrong)} of {len(rows)} transcripts of validation and test read otherwise under `text` than under"
            " `metric`, so that what is taught counts as wrong: give `metric` the steps of `text`"
            f" ({written!r} is taught as {taught!r})"
        )


def _also_written(recipe: Recipe, clips: Clips) -> Iterator[str]:
    """Texts whose words a phoneme lexicon needs beside those of train: what the language model and hotwords bring."""
    settings = recipe.decoding.lm
    if settings is None or recipe.units.kind != "phoneme":
        return
    yield from hotwords(settings, recipe.text, recipe.language)
    held_out = HeldOut([*clips.validation["text"], *clips.test["text"]])
    yield from brought(settings, held_out, recipe.text, recipe.language)
