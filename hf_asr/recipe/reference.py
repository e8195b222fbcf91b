"""What is generated from the schema: the reference, the JSON schema for editors, and a recipe to begin with."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hf_asr.recipe import Data, Model, Recipe, Source, Training
from hf_asr.recipe.errors import section_of
from hf_asr.recipe.fields import Section
from hf_asr.recipe.scalars import write

_INTRODUCTION = """# The recipe

Every key of a recipe file, generated from `hf_asr/recipe/` by `scripts/make_docs.py`.

A key without a default must be given. `--set training.max_steps=200` overrides a key by its path, items of a
list by their number (`--set data.sources.0.path=recordings`). Only `true` and `false` are booleans (`no` is
Norwegian), and `1e-4` is a number. `{language}` in `name`, `output` and a source's `path` and `config` stands
for `language`. Paths are relative to where the command is run. `hf-asr recipe show RECIPE` prints a recipe
with every default written out.
"""


def json_schema() -> dict[str, Any]:
    """For editors: completion, explanations and errors while a recipe is written."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Recipe.model_json_schema()}


def reference() -> str:
    """docs/recipes.md."""
    parts = [_INTRODUCTION, "## The whole\n", _first_line(Recipe), "", *_table(Recipe)]
    for title, section in _sections(Recipe, ""):
        parts += ["", f"## {title}\n", _first_line(section), "", *_table(section)]
    return "\n".join(parts) + "\n"


def new(folder: Path, family: Literal["ctc", "whisper"]) -> str:
    """A commented recipe for a folder of recordings."""
    whisper = family == "whisper"
    checkpoint = "openai/whisper-small" if whisper else "facebook/wav2vec2-base"
    others = "openai/whisper-tiny to large-v3-turbo" if whisper else "facebook/wav2vec2-xls-r-300m for 128 languages"
    lines = [
        f"# Fine-tunes {checkpoint} on the recordings in {folder}.",
        "# Look at the data first:  hf-asr check THIS_FILE",
        "# Then train:              hf-asr finetune THIS_FILE",
        "# Every key: docs/recipes.md",
        *_line(Recipe, "language", None, ""),
        "data:",
        "  sources:",
        *_line(Source, "path", str(folder), "    - "),
        *_line(Data, "max_seconds", 30.0 if whisper else 20.0, "  "),
    ]
    if not whisper:
        lines += [
            "text:  # fewer units to learn for a new head",
            "  case: lower",
            "  punctuation: strip",
        ]
    lines += [
        "model:",
        *_line(Model, "checkpoint", checkpoint, "  ", f"; or {others}"),
        *_line(Model, "freeze", [] if whisper else ["feature_encoder"], "  "),
        "training:",
        *_line(Training, "epochs", 10 if whisper else 30, "  "),
        *_line(Training, "max_minutes", None, "  "),
        *_line(Training, "batch_seconds", 120, "  "),
        *_line(Training, "learning_rate", 1e-5 if whisper else 1e-4, "  "),
        *_line(Training, "patience", 5, "  "),
    ]
    return "\n".join(lines) + "\n"


def _line(section: type[BaseModel], key: str, value: Any, indent: str, more: str = "") -> Iterator[str]:
    scalar = write({"_": value}).removeprefix("_:").strip() if not isinstance(value, list) else f"[{', '.join(value)}]"
    yield f"{indent}{key}: {scalar}  # {section.model_fields[key].description}{more}"


def _sections(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner:
            title = f"{prefix}{name}" + (" (each)" if "tuple" in str(field.annotation) else "")
            yield title, inner
            yield from _sections(inner, f"{prefix}{name}.")


def _first_line(section: type[BaseModel]) -> str:
    return (section.__doc__ or "").strip().partition("\n")[0]


def _table(section: type[BaseModel]) -> Iterator[str]:
    yield "| key | type | default | explanation |"
    yield "|---|---|---|---|"
    for name, field in section.model_fields.items():
        cells = (f"`{name}`", _type(field.annotation) + _limits(field), _default(field), field.description or "")
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type(annotation: Any) -> str:
    plain = {float: "number", int: "whole number", bool: "true or false", str: "text", type(None): ""}
    if annotation in plain:
        return plain[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        limits = _limits(FieldInfo.from_annotation(annotation))
        return _type(arguments[0]) + limits
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin in (Union, UnionType):
        return " or ".join(filter(None, map(_type, arguments)))
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "section"
    return "any keys" if origin is dict else str(annotation)


def _limits(field: FieldInfo) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    found = [f"{signs[key]} {getattr(part, key):g}" for part in field.metadata for key in signs if hasattr(part, key)]
    return f" {', '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.default
    if isinstance(value, BaseModel):
        changed = value.model_dump(exclude_unset=True)
        return ", ".join(f"{key}: {given}" for key, given in changed.items()) or "its defaults"
    return f"`{json.dumps(value)}`"
