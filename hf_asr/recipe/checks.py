"""What a recipe names must be there: told before anything heavy is imported, let alone downloaded."""

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hf_asr.recipe import Guard, Model, Replay, Source, Text, Units
from hf_asr.recipe.augment import Augment
from hf_asr.recipe.errors import nearest
from hf_asr.recipe.folders import files_below
from hf_asr.recipe.scalars import Problem

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*")
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
# data.sources.AUDIO_FILES, which is in a heavier room (a test compares them)
RECORDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".mp4", ".webm", ".aac", ".wma", ".aiff", ".aif", ".au")

# what transformers makes a CTC model of, and our own; transformers itself takes seconds to ask (a test does)
MODEL_TYPES = (
    "data2vec-audio",
    "deepspeech2",
    "hubert",
    "sew",
    "sew-d",
    "unispeech",
    "unispeech-sat",
    "wav2vec2",
    "wav2vec2-bert",
    "wav2vec2-conformer",
    "wavlm",
)


def sensible(sources: Sequence[Source | None], texts: dict[str, Text | None], language: object) -> list[Problem]:
    """What no single field shows. None stands for a section that is wrong already; `texts` are text and metric."""
    found: list[Problem] = []
    for index, source in enumerate(sources):
        if source and source.use in ("validation", "test") and source.weight != 1:
            told = f"weights are for training clips, and this source's go to {source.use}: leave it out"
            found.append((f"data.sources.{index}.weight", told))
    if sources and all(source and source.use in ("validation", "test") for source in sources):
        found.append(("data.sources", "none trains: one needs `use: train`, or `use: split`"))
    for name, text in texts.items():
        if text and text.numerals == "spell":
            if language is None:
                found.append(("language", f"missing: `{name}.numerals: spell` must know it"))
            if importlib.util.find_spec("num2words") is None:
                found.append((f"{name}.numerals", '`spell` needs num2words: pip install "hf-asr[numerals]"'))
    return found


def trackers(names: object) -> list[Problem]:
    """Packages that the Trainer would miss only when training begins."""
    asked = [str(name) for name in names] if isinstance(names, list) else []
    return [
        ("training.report_to", f"{name} is not installed: pip install {name}")
        for name in asked
        if importlib.util.find_spec(name) is None
    ]


def networks(shapes: Mapping[str, object]) -> list[Problem]:
    """Settings `from_scratch` by their places; only those with a kind of network in them are looked at."""
    found: list[Problem] = []
    for place, shape in shapes.items():
        kind = str(shape.get("model_type") or "") if isinstance(shape, dict) else ""
        if kind and kind not in MODEL_TYPES:
            told = f"no CTC network is called {kind!r}{nearest(kind, MODEL_TYPES)}; known: {', '.join(MODEL_TYPES)}"
            found.append((f"{place}.model_type", told))
    return found


def written(texts: Sequence[object]) -> list[Problem]:
    """The text files of decoding.lm; their contents are read by the journey."""
    found: list[Problem] = []
    for index, given in enumerate(texts):
        file = Path(str(given)).expanduser()
        if not file.is_file():
            found.append(
                (f"decoding.lm.texts.{index}", f"no such file: {given!r}, from {Path.cwd()}{_neighbour(file)}")
            )
    return found


def present(sources: Sequence[Source | None], model: Model | None, output: object) -> list[Problem]:
    """Local folders and files, the Hub's where it can be known without asking it, embedded data, the run folder."""
    found: list[Problem] = []
    for index, source in enumerate(sources):
        if source:
            found += beside({f"data.sources.{index}": source})
    if model and model.checkpoint is not None:
        found += (("model.checkpoint", told) for told in _checkpoint(model.checkpoint, model.revision))
    if isinstance(output, str) and Path(output).is_file():
        found.append(("output", f"{output!r} is a file: name a folder to make"))
    return found


def beside(sources: Mapping[str, Source | None]) -> list[Problem]:
    """The same of sources by their place in the recipe, e.g. guards.0.source."""
    given = ((place, source) for place, source in sources.items() if source)
    return [(f"{place}.path", told) for place, source in given for told in _source(source, place)]


def sounds(augments: Mapping[str, Augment | None]) -> list[Problem]:
    """Folders of noise and impulse responses, of sections `augment` by their place; data.noise reads the recordings."""
    found: list[Problem] = []
    for place, augment in augments.items():
        for key, section in (("noise", augment.noise), ("reverb", augment.reverb)) if augment else ():
            if section and section.folder is not None:
                found += ((f"{place}.{key}.folder", told) for told in _folder_of_recordings(section.folder))
    return found


def pronounceable(sections: Mapping[str, Units | None], language: object) -> list[Problem]:
    """Sections `units` by their place: a lexicon file, or what espeak-ng needs."""
    found: list[Problem] = []
    for place, units in sections.items():
        if units is None or units.kind != "phoneme":
            continue
        if units.lexicon is not None:
            file = Path(units.lexicon).expanduser()
            if not file.is_file():
                told = f"no such file: {units.lexicon!r}, from {Path.cwd()}{_neighbour(file)}"
                found.append((f"{place}.lexicon", told))
            continue
        if language is None:
            found.append(("language", f"missing: `{place}.kind: phoneme` without a lexicon file must know it"))
        if importlib.util.find_spec("phonemizer") is None:
            told = '`phoneme` needs phonemizer: pip install "hf-asr[phonemes]"; or set `lexicon` to a file'
            found.append((f"{place}.kind", told))
    return found


def _folder_of_recordings(given: str) -> Iterator[str]:
    folder = Path(given).expanduser()
    if folder.is_file():
        yield f"{given!r} is a file: name the folder it lies in"
    elif not folder.is_dir():
        yield f"no such folder: {given!r}, from {Path.cwd()}{_neighbour(folder)}"
    elif not any(file.suffix.lower() in RECORDINGS for file in files_below(folder)):
        yield f"no recordings in {given!r}: {', '.join(RECORDINGS)}"


def against_forgetting(replays: Mapping[str, Replay | None], guards: Sequence[Guard | None]) -> list[Problem]:
    """Replay by its place in the recipe, and guards: what no single field of them shows."""
    found: list[Problem] = []
    for place, replay in replays.items():
        if replay and not 0 < replay.share < 1:
            told = "must be above 0 and below 1 (leave replay out for none; old data alone is data.sources)"
            found.append((f"{place}.share", told))
        for index, source in enumerate(replay.sources if replay else ()):
            if source.use in ("validation", "test"):
                found.append((f"{place}.sources.{index}.use", "old data goes to train only: leave it out"))
    names = [guard.name if guard else None for guard in guards]
    for index, guard in enumerate(guards):
        if guard and guard.name in names[:index]:
            found.append((f"guards.{index}.name", f"another guard is called {guard.name!r}, too"))
        if guard and guard.source.use in ("train", "validation"):
            found.append((f"guards.{index}.source.use", "a guard is never trained on or chosen by: leave it out"))
        if guard and guard.source.weight != 1:
            found.append((f"guards.{index}.source.weight", "weights are for training clips: leave it out"))
    return found


def _source(source: Source, place: str) -> Iterator[str]:
    path = Path(source.path).expanduser()
    if source.path.startswith("embedded:"):
        name = source.path.removeprefix("embedded:")
        names = sorted({file.parent.name for file in (Path(__file__).parents[1] / "assets").glob("*/metadata.*")})
        if name not in names:
            yield f"no embedded data is called {name!r}{nearest(name, names)}; there is {', '.join(names) or 'none'}"
    elif path.exists():
        return
    elif source.format == "hub" or (source.format == "auto" and _on_hub(source.path)):
        if _offline() and not _cached("dataset", source.path, source.revision, ""):
            yield _unreachable(source.path, f"{place}.path=FOLDER")
    else:
        hint = "; a Hub dataset is written user/name" if source.format == "auto" and "/" not in source.path else ""
        yield f"no such file or folder: {source.path!r}, from {Path.cwd()}{_neighbour(path)}{hint}"


def _checkpoint(checkpoint: str, revision: str | None) -> Iterator[str]:
    folder = Path(checkpoint)
    if checkpoint.startswith("embedded:"):
        name = checkpoint.removeprefix("embedded:")
        names = sorted(file.parent.name for file in (Path(__file__).parents[1] / "checkpoints").glob("*/config.json"))
        if name not in names:
            yield f"no embedded checkpoint is called {name!r}{nearest(name, names)}; known: {', '.join(names)}"
    elif folder.is_file():
        yield f"{checkpoint!r} is a file: name the folder with its config.json"
    elif folder.is_dir():
        if not (folder / "config.json").is_file():
            inner = folder / "model"
            hint = f" (did you mean `{inner}`?)" if (inner / "config.json").is_file() else ""
            yield f"the folder {checkpoint!r} has no config.json: it is no checkpoint{hint}"
    elif not HUB_ID.fullmatch(checkpoint):
        hint = _neighbour(folder) or "; a Hub id is written user/name, e.g. openai/whisper-small"
        yield f"no such folder: {checkpoint!r}, from {Path.cwd()}{hint}"
    elif _offline() and not _cached("model", checkpoint, revision, "config.json"):
        yield _unreachable(checkpoint, "model.checkpoint=FOLDER")


def _on_hub(path: str) -> bool:
    return bool(HUB_ID.fullmatch(path)) and Path(path).suffix.lower() not in TABLES


def _neighbour(path: Path) -> str:
    """A near name in the same folder."""
    folder = path.parent
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    return nearest(path.name, names)


def _offline() -> bool:
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE


def _cached(kind: str, repository: str, revision: str | None, file: str) -> bool:
    """Looked up in the cache's folders: `try_to_load_from_cache` takes longer to import than all the rest."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"{kind}s--{repository.replace('/', '--')}"
    reference = folder / "refs" / (revision or "main")
    commit = reference.read_text().strip() if reference.is_file() else revision
    return commit is not None and (folder / "snapshots" / commit / file).exists()


def _unreachable(repository: str, override: str) -> str:
    return (
        f"{repository!r} is no local folder, is not in the cache, and the Hub is switched off (HF_HUB_OFFLINE): "
        f"go online once, or --set {override}"
    )
