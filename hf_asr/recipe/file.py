"""Finding, reading and writing recipe files. Neither torch nor transformers is imported here."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hf_asr.recipe import Guard, Model, Recipe, RecipeError, Replay, Source, Text, Units, errors, scalars
from hf_asr.recipe.augment import Augment
from hf_asr.recipe.checks import (
    against_forgetting,
    beside,
    networks,
    present,
    pronounceable,
    sensible,
    sounds,
    trackers,
    written,
)
from hf_asr.recipe.reference import json_schema, new, reference
from hf_asr.recipe.scalars import Problem

__all__ = ["dump", "find", "json_schema", "load", "new", "reference", "shipped"]

Known = TypeVar("Known", bound=BaseModel)

_PURPOSE = re.compile(r"^# (?:Purpose: )?(?!yaml-language-server)(.+)$", re.MULTILINE)


def shipped() -> list[tuple[str, str]]:
    """Name and purpose of each recipe that comes with the package."""
    return [(file.stem, _purpose(file)) for file in sorted(_folder().glob("*.yaml"))]


def find(name_or_path: str) -> Path:
    """A recipe file, a run folder's recipe, or a shipped recipe by name. Raises RecipeError for anything else."""
    path = Path(name_or_path).expanduser()
    if path.is_dir() and (path / "recipe.yaml").is_file():
        return path / "recipe.yaml"
    if path.is_file():
        return path
    names = [name for name, _ in shipped()]
    if name_or_path in names:
        return _folder() / f"{name_or_path}.yaml"
    near = get_close_matches(path.stem, names, n=1)
    if not near and path.parent.is_dir():
        near = get_close_matches(path.name, [file.name for file in path.parent.glob("*.y*ml")], n=1)
    found = "is a folder without a recipe.yaml" if path.is_dir() else "no such file"
    hint = f" (did you mean `{near[0]}`?)" if near else ""
    raise RecipeError(name_or_path, [("file", f"{found}{hint}; shipped recipes: {', '.join(names) or 'none'}")])


def load(name_or_path: str, overrides: Sequence[str] = (), check_exists: bool = True) -> Recipe:
    """The recipe with its overrides (`training.max_steps=200`), name, output and `{language}` filled in.

    Raises RecipeError with everything that is wrong. `check_exists=False` does not look for what it names.
    """
    path = find(name_or_path)
    tree, problems = _read(path, name_or_path)
    for override in overrides:
        problems += _override(tree, override)
    problems += _fill(tree, path.stem if path.name != "recipe.yaml" else path.absolute().parent.name)
    recipe = None
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        problems += errors.problems(error)
    data = tree.get("data")
    given = data.get("sources") if isinstance(data, dict) else None
    sources = [_valid(Source, source) for source in given] if isinstance(given, list) else []
    model = _valid(Model, tree.get("model"))
    texts = {name: _valid(Text, tree.get(name, {})) for name in ("text", "metric")}
    problems += sensible(sources, texts, tree.get("language"))
    problems += networks({f"{key}.from_scratch": _under(tree, key, "from_scratch") for key in ("model", "baseline")})
    replays = {place: _valid(Replay, value) for place, value in _of_training(tree, "replay")}
    problems += against_forgetting(replays, [_valid(Guard, guard) for guard in _items(tree, "guards")])
    if check_exists:
        problems += present(sources, model, tree.get("output"))
        problems += trackers(_under(tree, "training", "report_to"))
        problems += beside({place: _valid(Source, source) for place, source in _other_sources(tree)})
        spelt = [("units", tree), ("baseline.units", tree.get("baseline"))]
        units = {place: _valid(Units, above.get("units", {})) for place, above in spelt if isinstance(above, dict)}
        problems += written(_items(_under(tree, "decoding", "lm"), "texts"))
        problems += pronounceable(units, tree.get("language"))
        problems += sounds({place: _valid(Augment, value) for place, value in _of_training(tree, "augment")})
    if problems or recipe is None:
        raise RecipeError(name_or_path, list(dict.fromkeys(problems)))
    return recipe


def dump(recipe: Recipe) -> str:
    """The recipe as YAML, every default written out; `load` gives an equal one."""
    return scalars.write(recipe.model_dump())


def _folder() -> Path:
    """In the wheel recipes lie inside the package, in a checkout beside it."""
    package = Path(__file__).parents[1]
    inside = package / "recipes"
    return inside if inside.is_dir() else package.parent / "recipes"


def _purpose(file: Path) -> str:
    found = _PURPOSE.search(file.read_text(encoding="utf-8"))
    return found[1] if found else ""


def _read(path: Path, where: str) -> tuple[dict[str, Any], list[Problem]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(where, [("file", f"is not UTF-8 text, from byte {error.start + 1} on")]) from error
    except OSError as error:
        raise RecipeError(where, [("file", f"cannot be read: {error.strerror}")]) from error
    tree, problems = scalars.parse(text)
    if tree is None:
        raise RecipeError(where, problems or [("file", "is empty: a recipe needs data, model and training")])
    if not isinstance(tree, dict):
        what = "a list" if isinstance(tree, list) else "a single value"
        raise RecipeError(where, [("file", f"holds {what}: a recipe has the sections data, model and training")])
    return tree, problems


def _override(tree: dict[str, Any], override: str) -> list[Problem]:
    """Sets one value in the tree; sections on the way are made, an item may be added at the end of a list."""
    key, equals, raw = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        return [("--set", f"expected KEY=VALUE, e.g. training.max_steps=200, got {override!r}")]
    value, problems = scalars.parse(raw)
    if problems:
        return [(f"--set {key}", f"{told} (in {raw!r})") for _, told in problems]
    here: Any = tree
    for depth, part in enumerate(parts):
        above = ".".join(parts[:depth])
        if isinstance(here, list):
            if not part.isdecimal() or int(part) > len(here):
                last = f"{above}.{len(here) - 1}" if len(here) > 1 else ""
                items = f"{above}.0{f' to {last}' if last else ''}"
                return [(f"--set {key}", f"{above} is a list: name one of its items ({items}), not {part!r}")]
            here += [None] if int(part) == len(here) else []
        elif not isinstance(here, dict):
            return [(f"--set {key}", f"{above} is no section: it has no {part!r}")]
        place: Any = int(part) if isinstance(here, list) else part
        if depth == len(parts) - 1:
            here[place] = value
        elif (here[place] if isinstance(here, list) else here.get(place)) is None:
            here[place] = [] if parts[depth + 1].isdecimal() else {}
        here = here[place]
    return []


def _fill(tree: dict[str, Any], stem: str) -> list[Problem]:
    """Name, output and `{language}`; a section with nothing under it counts as left out."""
    data = tree.get("data")
    for place, section in (((), tree), (("data",), data)):
        if isinstance(section, dict):
            for key in [key for key, value in section.items() if value is None]:
                if errors.section_at((*place, key)):
                    del section[key]
    tree["name"] = tree.get("name") or re.sub(r"[^\w.-]+", "-", stem)
    tree["output"] = tree.get("output") or f"runs/{tree['name']}"
    sources = data.get("sources") if isinstance(data, dict) else None
    holders: list[tuple[str, Any, tuple[str, ...]]] = [("", tree, ("name", "output"))]
    if isinstance(sources, list):
        holders += [(f"data.sources.{i}.", source, ("path", "config")) for i, source in enumerate(sources)]
    holders += [(f"{place}.", source, ("path", "config")) for place, source in _other_sources(tree)]
    language, wanted = tree.get("language"), []
    for prefix, holder, keys in holders:
        for key in keys if isinstance(holder, dict) else ():
            if "{language}" in str(holder.get(key)):
                wanted.append(prefix + key)
                holder[key] = str(holder[key]).replace("{language}", str(language))
    if wanted and language is None:
        return [("language", f"missing: `{{language}}` stands for it in {', '.join(wanted)}")]
    return []


def _items(tree: Any, key: str) -> list[Any]:
    found = tree.get(key) if isinstance(tree, dict) else None
    return found if isinstance(found, list) else []


def _of_training(tree: dict[str, Any], section: str) -> Iterator[tuple[str, Any]]:
    """A section of the training and of the baseline's own, by their places."""
    for path in (("training", section), ("baseline", "training", section)):
        here = _under(tree, *path)
        if here is not None:
            yield ".".join(path), here


def _under(tree: Any, *path: str) -> Any:
    """What lies there; None when nothing does, or a section on the way is none."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _other_sources(tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Sources beside data.sources, and their places."""
    for place, replay in _of_training(tree, "replay"):
        yield from ((f"{place}.sources.{index}", one) for index, one in enumerate(_items(replay, "sources")))
    for index, guard in enumerate(_items(tree, "guards")):
        if isinstance(guard, dict):
            yield f"guards.{index}.source", guard.get("source")


def _valid(section: type[Known], value: Any) -> Known | None:
    """The section without the keys that are wrong, so that the others can still be checked."""
    try:
        return section.model_validate(value)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
        right = {key: given for key, given in value.items() if key not in wrong} if isinstance(value, dict) else value
        return None if right == value else _valid(section, right)
