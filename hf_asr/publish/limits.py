"""What a model has not been shown to do, from the facts of its run; whose data and weights it is made of."""

from collections.abc import Iterator
from pathlib import Path

import hf_asr
from hf_asr.publish.evidence import hard_slices
from hf_asr.publish.facts import Facts, tested_on
from hf_asr.publish.markdown import code, count, hours, interval, link, listed, percent, plain
from hf_asr.publish.metadata import licence as hub_licence
from hf_asr.publish.public import EMBEDDED

FEW_WORDS = 2000  # below, a WER of 5 % has an interval of some 2 points even where errors do not cluster
# what public data are: (part of a name, what is spoken in them)
KINDS = (
    ("prompts-en", "prompts of a telephone system, spoken by one professional voice"),
    ("lj_speech", "book passages read by one voice"),
    ("ljspeech", "book passages read by one voice"),
    ("common_voice", "sentences read aloud by volunteers"),
    ("librispeech", "books read aloud"),
    ("fleurs", "sentences read aloud"),
    ("voxpopuli", "speeches in the European Parliament"),
)


def limitations(facts: Facts) -> str:
    return listed([*_training(facts), *_test(facts), *_text(facts)])


def _training(facts: Facts) -> Iterator[str]:
    side, length = facts.data["sides"]["train"], hours(facts.train_hours)
    voices = side["speakers"]
    elsewhere = any(source.use == "test" for source in facts.recipe.data.sources)
    unnamed = side.get("unnamed", 0)  # not told by earlier versions
    if voices and unnamed:
        yield (
            f"It learned from {length}. {count(voices, 'speaker is', 'speakers are')} named there, and {unnamed:,} of"
            f" {side['clips']:,} clips name none, so training and test may share voices."
        )
    elif voices == 1:
        others = facts.data["sides"]["test"]["speakers"] > 1 or elsewhere
        more = "" if others else f" Others were not measured{_but(facts)}."
        yield f"One voice: it learned from {length} of a single speaker.{more}"
    elif voices:
        yield f"It learned from {length} of {voices:,} speakers; voices unlike theirs were not measured{_but(facts)}."
    else:
        yield f"It learned from {length}. The data name no speakers, so training and test may share voices."
    kinds = dict.fromkeys(_kinds(facts))
    if kinds:
        yield f"What it heard: {'; '.join(kinds)}. Other ways of speaking, rooms and microphones were not measured."
    elif not elsewhere:
        yield "The test side is of the same sources as the training side: other recordings may be recognised worse."
    augment = facts.recipe.training.augment
    if not (augment.noise or augment.reverb or augment.telephone):
        yield "No noise, reverberation or telephone band was added in training."


def _but(facts: Facts) -> str:
    return ", but for the other speech above" if facts.results.get("guards") else ""


def _kinds(facts: Facts) -> Iterator[str]:
    """What is spoken in each source; nothing at all where it is not known of one."""
    found = []
    for source in facts.recipe.data.sources:
        name = "ljspeech" if source.format == "ljspeech" else source.path.lower()
        found.append(next((kind for part, kind in KINDS if part in name), None))
    yield from (kind for kind in found if kind and None not in found)


def _test(facts: Facts) -> Iterator[str]:
    row = facts.this
    if row["words"] < FEW_WORDS:
        yield (
            f"The test side is small ({count(row['words'], 'word')}): the WER of as many other clips like these may"
            f" well lie anywhere from {interval(row['wer_low'], row['wer_high'])} %."
        )
    hard = list(hard_slices(facts))
    if hard:
        yield f"Worse than the {percent(row['wer'])} of all clips: {'; '.join(hard)}."
    test = facts.data["sides"]["test"]
    if test["speakers"] == 1 and not test.get("unnamed") and facts.data["sides"]["train"]["speakers"] > 1:
        yield "The test side is a single voice."
    seconds = facts.recipe.data.max_seconds
    yield f"Clips longer than {seconds:g} s were neither trained on nor tested."
    if len(tested_on(facts)) > 1:
        yield "The figures are of several sources together; those of each are not told apart."


def _text(facts: Facts) -> Iterator[str]:
    text = facts.recipe.text
    if text.case != "keep" or text.punctuation == "strip":
        forms = [f"{text.case} case"] if text.case != "keep" else []
        forms += ["no punctuation"] if text.punctuation == "strip" else []
        yield f"It writes as it was taught: {', '.join(forms)}."
    if "a new head" in facts.systems["fine-tuned"]["about"]:
        yield "It can write only the characters that occur in the training transcripts; digits are rarely among them."
    if facts.whisper and not facts.results.get("probes"):
        yield "Whether it invents words where nobody speaks was not measured; Whisper is known to."
    if facts.recipe.language:
        yield f"Other languages than {code(facts.recipe.language)} were not measured."


def licence(facts: Facts) -> str:
    """Licence of the model, and what is known of its ingredients'."""
    given, known = facts.recipe.licence, hub_licence(facts.recipe.licence)
    if not known:
        told = "No licence was named for this model: without one nobody has leave to use it."
    elif known["license"] == "other":
        told = f"The model's licence: {plain(given or '')}."
    else:
        told = f"The model is published under {code(known['license'])}."
    return "\n\n".join([told, listed([*_ingredients(facts)]), *_attributions(facts)]).strip()


def _heard(facts: Facts) -> Iterator[tuple[str, str | None]]:
    """What the model learned from and was tested on, guards not among it; and whose that is."""
    replay = facts.recipe.training.replay
    found = (*facts.recipe.data.sources, *(replay.sources if replay else ()))
    yield from dict.fromkeys((source.path, source.attribution) for source in found)


def _ingredients(facts: Facts) -> Iterator[str]:
    checkpoint = facts.recipe.model.checkpoint
    if facts.base:
        yield f"Base model {link(facts.base)}: its licence was not read by this run; check it on its page."
    elif checkpoint and checkpoint.startswith(EMBEDDED):
        yield f"Base model {code(checkpoint)}, which comes with hf-asr, Apache-2.0."
    elif checkpoint:
        yield f"Base model {code(checkpoint)}, a local folder: its licence is not known here."
    for path, attribution in _heard(facts):
        if attribution:
            yield f"Recordings {code(path)}: {plain(attribution)}"
        elif path in facts.hub:
            yield f"Dataset {link(path, 'datasets/')}: its licence was not read by this run; check it on its page."
        elif not path.startswith(EMBEDDED):
            yield f"Recordings {code(path)}, not public: their licence is not known here."


def _attributions(facts: Facts) -> Iterator[str]:
    """The paragraphs of an embedded data set's README that its licence wants repeated."""
    for path in (path for path, _ in _heard(facts) if path.startswith(EMBEDDED)):
        readme = Path(hf_asr.__file__).parent / "assets" / path.removeprefix(EMBEDDED) / "README.md"
        if readme.is_file():
            paragraphs = readme.read_text(encoding="utf-8").split("\n\n")
            told = [" ".join(text.split()) for text in paragraphs if "Copyright" in text]
            yield from (f"Recordings: {text}" for text in told)
            yield "The recordings themselves are not in this repository."
