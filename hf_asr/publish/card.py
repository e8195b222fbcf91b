"""The model card: README.md of a model, made of what stands in its run folder and nothing typed.

Local folders appear by their last part, speakers by number. Text that the data brought (words, names, reasons)
is shown as text: none of it can become Markdown, HTML or YAML.
"""

from pathlib import Path

from hf_asr import run
from hf_asr.publish import evidence, limits, making
from hf_asr.publish.citation import bibtex
from hf_asr.publish.facts import BASELINE, PIPELINE, ZERO_SHOT, Facts, read
from hf_asr.publish.markdown import code, fenced, hours, interval, link, listed, percent, plain, points
from hf_asr.publish.metadata import front, language
from hf_asr.publish.public import EMBEDDED

USE = """import soundfile
import soxr
from transformers import pipeline

recognise = pipeline("automatic-speech-recognition", model="{model}"{trust})
samples, rate = soundfile.read("clip.wav", dtype="float32", always_2d=True)
samples = soxr.resample(samples.mean(axis=1), rate, 16_000)  # one channel, 16 kHz
print(recognise(samples)["text"])"""


def card(folder: Path, repository: str | None = None, baseline: str | None = None) -> str:
    """README.md of a finished run: YAML metadata and Markdown.

    repository: the Hub id it will have, for the lines that load it; `model`, the run's own folder, without.
    baseline: the repository of the network from scratch beside it, or, for such a network, of the model it is
    compared with. Raises RunError when the run is not finished, with what is missing.
    """
    facts = read(folder, repository, baseline)
    sections = {
        "Use": use(facts),
        "Results": evidence.results(facts),
        "Where it fails": evidence.failures(facts),
        "Training data": making.data(facts),
        "Training": making.procedure(facts),
        "Time, hardware, electricity": making.cost(facts),
        "Reproduce": making.reproduce(facts),
        "Limitations": limits.limitations(facts),
        "Licence and attribution": limits.licence(facts),
        "Citation": fenced(bibtex(facts), "bibtex"),
    }
    parts = [front(facts), f"# {plain(facts.name)}", about(facts)]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n\n".join(parts) + "\n"


def about(facts: Facts) -> str:
    """What it is and how good, in a few lines."""
    spoken = f" ({code(facts.recipe.language)})" if facts.recipe.language else ""
    length = hours(facts.train_hours)
    if facts.from_scratch:
        network = f"a {code(facts.model_type)} network" if facts.model_type else "a network"
        first = (
            f"Speech recognition{spoken}: {network} trained **from random weights** on {length} of speech."
            " Nothing in it is pretrained: it shows what these recordings alone teach."
        )
    else:
        checkpoint = link(facts.base) if facts.base else _local(facts.recipe.model.checkpoint or "")
        first = f"Speech recognition{spoken}: {checkpoint} fine-tuned on {length} of speech."
    row = facts.this
    second = (
        f"Word error rate **{percent(row['wer'])}** (95 % interval {interval(row['wer_low'], row['wer_high'])}) on"
        f" {row['utterances']:,} test clips it was not trained on{_before(facts)}."
    )
    return "\n\n".join(part for part in (f"{first} {second}", listed(_facts(facts))) if part)


def _local(checkpoint: str) -> str:
    return f"{code(checkpoint)}, {'of hf-asr' if checkpoint.startswith(EMBEDDED) else 'a local folder'},"


def _before(facts: Facts) -> str:
    """What the same clips cost the others, with the verdict."""
    told = []
    names = {ZERO_SHOT: "before fine-tuning", BASELINE: "from random weights"}
    for found in facts.results.get("comparisons") or ():
        against = facts.systems.get(found["against"], {}).get("contexts", {}).get(PIPELINE)
        if against and found["context"] == PIPELINE and found["against"] in names:
            change = f"{points(found['difference'])} points, {found['verdict']}"
            told.append(f"{percent(against['wer'])} {names[found['against']]} ({change})")
    return f"; {' and '.join(told)}" if told else ""


def _facts(facts: Facts) -> list[str]:
    system = facts.systems["fine-tuned"]
    size = f", {system['bytes'] / 1e6:,.0f} MB" if system.get("bytes") else ""
    found = [f"{system['parameters']:,} parameters{size}"] if system.get("parameters") else []
    text = facts.recipe.text
    form = [f"{text.case} case"] if text.case != "keep" else []
    form += ["no punctuation"] if text.punctuation == "strip" else []
    found.append(f"In: speech at 16 kHz, one channel. Out: text, {', '.join(form) or 'written as the transcripts are'}")
    if facts.partner:
        what = "The fine-tuned model it is compared with" if facts.from_scratch else "The same task from random weights"
        found.append(f"{what}: {link(facts.partner)}")
    if facts.recipe.language and language(facts.recipe.language)[0] is None:
        found.append(f"{code(facts.recipe.language)} is no code of ISO 639, so the Hub lists no language")
    return found


def use(facts: Facts) -> str:
    """The lines that load it; a test runs them."""
    model = facts.repository or run.MODEL
    longer = "return_timestamps=True" if facts.whisper else "chunk_length_s=20"
    notes = [
        "`pip install torch transformers soundfile soxr`. Given a file name in place of samples, `pipeline()` needs the"
        " program ffmpeg; given another sampling rate, torchaudio.",
        f"Longer recordings: `recognise(samples, {longer})`; the WER of such was not measured.",
    ]
    if facts.recipe.units.kind == "phoneme" and not facts.whisper:
        notes.append(
            "Its units are phonemes, and `pipeline()` writes these. The words in this card are made of them by the"
            " lexicon in `tokenizer_config.json`, as by `hf-asr transcribe`."
        )
    trust = ", trust_remote_code=True" if "auto_map" in facts.config else ""
    if trust:
        notes.append(
            "The network is not one of transformers': its Python files lie beside the weights, and `trust_remote_code`"
            " runs them. Read them first."
        )
    if not facts.repository:
        notes.append("`model` is the folder beside this file.")
    return f"{fenced(USE.format(model=model, trust=trust), 'python')}\n\n{listed(notes)}"
