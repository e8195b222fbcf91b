"""A run as it may be published: names of datasets and models, and no folder of a machine but its last part."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from hf_asr import run
from hf_asr.recipe import Hub, Recipe, Source
from hf_asr.recipe import file as recipe_file
from hf_asr.recipe.checks import HUB_ID, TABLES

EMBEDDED = "embedded:"
_PLACES = ("path", "folder", "checkpoint")  # keys of a recipe whose value is a folder, or an id
_HOMES = ("home", "users")
# An absolute path in a sentence: two parts at least, so that `and/or`, a lone slash and addresses stay.
_PART = r"[^\s\\/:'\"<>|]+"
_PATH = re.compile(
    rf"(?<![\w.~:/\\-])(?:(?:file://|~)?/(?:{_PART}/)+{_PART.replace('+', '*')}|[A-Za-z]:(?:[\\/]{_PART})+)"
)


def hub_ids(recipe: Recipe) -> tuple[str, ...]:
    """Datasets and checkpoint that the recipe reads from the Hub.

    To be asked where the run is made, since `data/voices` is an id only where no such folder is.
    """
    ids = [source.path for source in sources(recipe) if _on_hub(source)]
    checkpoint = recipe.model.checkpoint
    if checkpoint and checkpoint.isascii() and HUB_ID.fullmatch(checkpoint) and not Path(checkpoint).exists():
        ids.append(checkpoint)
    return tuple(dict.fromkeys(ids))


def sources(recipe: Recipe) -> tuple[Source, ...]:
    """All that a recipe reads from: data, old data, guards."""
    replay = recipe.training.replay
    return (*recipe.data.sources, *(replay.sources if replay else ()), *(guard.source for guard in recipe.guards))


def recipe_of(folder: Path) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of a run in its public form, and the Hub ids in it (as data.json has them, where it has)."""
    own = recipe_file.load(str(folder / run.RECIPE), check_exists=False)
    told = run.read_json(folder / run.DATA).get("hub") if (folder / run.DATA).exists() else None
    ids = hub_ids(own) if told is None else tuple(map(str, told))
    return public_recipe(own, ids), ids


def public(folder: Path) -> str:
    """recipe.yaml of a run in its public form."""
    return recipe_file.dump(recipe_of(folder)[0])


def public_recipe(recipe: Recipe, ids: Collection[str]) -> Recipe:
    """The recipe with every local folder cut to its last part, an `output` of no place and no one to push to."""
    tree = _cut(recipe.model_dump(), ids)
    tree |= {"output": f"runs/{recipe.name}", "hub": Hub().model_dump()}
    return Recipe.model_validate(tree)


def last_part(path: str) -> str:
    """What a folder is called; `folder` where that would be a user's name, or says nothing."""
    parts = [part for part in re.split(r"[\\/]+", path.strip()) if part not in ("", ".", "..", "~")]
    in_home = len(parts) > 1 and parts[-2].lower() in _HOMES
    return "folder" if not parts or in_home or parts[-1].startswith("~") else parts[-1]


def without_paths(text: str, known: Collection[str] = ()) -> str:
    """The text with each of the `known` folders, and whatever else is an absolute path, cut to its last part."""
    for path in sorted(known, key=len, reverse=True):
        if "/" in path or "\\" in path:  # a name alone is its own last part
            text = text.replace(path, last_part(path))
    return _PATH.sub(lambda match: last_part(match.group()), text)


def local_places(recipe: Recipe, ids: Collection[str]) -> dict[str, str]:
    """The folders that a recipe names as those of one machine, by their place in it (data.sources.0.path)."""

    def walk(value: Any, place: str) -> Iterator[tuple[str, str]]:
        items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
        for key, one in items:
            if isinstance(one, str) and key in _PLACES and one not in ids and not one.startswith(EMBEDDED):
                yield f"{place}{key}", one
            yield from walk(list(one) if isinstance(one, tuple) else one, f"{place}{key}.")

    return dict(walk(recipe.model_dump(), ""))


def cleaned(value: Any, known: Collection[str]) -> Any:
    """A tree of JSON with `without_paths` in every text and key."""
    if isinstance(value, str):
        return without_paths(value, known)
    if isinstance(value, Mapping):
        return {without_paths(str(key), known): cleaned(one, known) for key, one in value.items()}
    return [cleaned(one, known) for one in value] if isinstance(value, list | tuple) else value


def results_of(folder: Path) -> dict[str, Any]:
    """results.json without folders and without the names of speakers. Raises RunError where a run is not finished."""
    finished(folder)
    known = _places(folder)
    told = run.read_json(folder / run.RESULTS)
    found: dict[str, Any] = cleaned(told, known) | {"confusions": told.get("confusions", [])}  # words are no places
    speakers = [row for row in found.get("slices") or () if row["by"] == "speaker"]
    for number, row in enumerate(speakers, 1):
        row["slice"] = f"speaker {number}"
    return found


def finished(folder: Path) -> None:
    """Raises RunError with what is missing for a card."""
    names = (run.RECIPE, run.DATA, run.ENVIRONMENT, run.RESULTS)
    missing = [name for name in names if not (folder / name).is_file()]
    if run.RECIPE in missing:
        raise run.RunError(f"{folder} is no run folder: it has no {run.RECIPE}")
    if missing:
        raise run.RunError(
            f"{folder} is an unfinished run, {' and '.join(missing)} missing: repeat `hf-asr finetune {folder}`"
        )
    systems = run.read_json(folder / run.RESULTS).get("systems")
    if not systems:
        raise run.RunError(f"{folder} was made by an earlier version of hf-asr: repeat the run")
    if "pipeline" not in systems.get("fine-tuned", {}).get("contexts", {}):
        raise run.RunError(f"{folder}/{run.RESULTS} has no figures of the fine-tuned model: repeat the run")


def files(folder: Path) -> dict[str, str]:
    """What may lie beside a published model, by name: recipe, results, environment, and the data in numbers.

    No recording, transcript or hypothesis and no name of a clip is among them: voices and what they say are
    their owners' to publish. Raises RunError where a run is not finished.
    """
    results, known = results_of(folder), _places(folder)
    if results.get("parity"):
        results["parity"]["differing"] = []
    return {
        run.RECIPE: public(folder),
        run.RESULTS: _json(_unnamed(results)),
        run.DATA: _json(cleaned(_unnamed(run.read_json(folder / run.DATA)), known)),
        run.ENVIRONMENT: _json(cleaned(run.read_json(folder / run.ENVIRONMENT), known)),
    }


def _unnamed(value: Any) -> Any:
    """JSON without lists of clips; where their number says something, it stays."""
    if isinstance(value, list):
        return [_unnamed(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: _unnamed(one) for key, one in value.items() if key not in ("left_out", "warnings")}
    if isinstance(found.get("unreadable"), list):
        found["unreadable"] = [""] * len(found["unreadable"])
    if isinstance(found.get("problems"), list):
        found["problems"] = [["", why] for _, why in found["problems"]]
    return found


def _places(folder: Path) -> tuple[str, ...]:
    own = recipe_file.load(str(folder / run.RECIPE), check_exists=False)
    return (*local_places(own, recipe_of(folder)[1]).values(), own.output)


def _on_hub(source: Source) -> bool:
    path = Path(source.path).expanduser()
    named = source.format == "hub" or (source.format == "auto" and path.suffix.lower() not in TABLES)
    return named and source.path.isascii() and bool(HUB_ID.fullmatch(source.path)) and not path.exists()


def _cut(value: Any, ids: Collection[str], key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _cut(one, ids, name) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(one, ids, key) for one in value]
    if not isinstance(value, str):
        return value
    kept = value in ids or value.startswith(EMBEDDED)
    return value if kept else last_part(value) if key in _PLACES else without_paths(value)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
