"""What pydantic finds wrong with a recipe, in our words: where, what was expected, what was found, what is near."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from hf_asr.recipe import Recipe
from hf_asr.recipe.scalars import Problem

Place = Sequence[str | int]

_EXPECTED = {
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a section of `key: value` lines",
    "model_type": "a section of `key: value` lines",
}
_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def problems(error: ValidationError) -> list[Problem]:
    """All of them, in the order of the schema."""
    found = []
    for detail in error.errors(include_url=False):
        # said of a list whose items are wrong, each of which is told by itself
        if detail["type"] == "too_short" and detail["input"]:
            continue
        where = ".".join(str(part) for part in detail["loc"]) or "file"
        told = _told(detail["type"], detail["loc"], detail["input"], detail.get("ctx", {}), detail["msg"])
        found.append((where, told))
    return found


def section_at(place: Place) -> type[BaseModel] | None:
    """The model whose keys stand at a place: () is the recipe, ("data", "sources", 0) a source."""
    model: type[BaseModel] = Recipe
    for part in place:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(str(part))
        inner = section_of(field.annotation) if field else None
        if inner is None:
            return None
        model = inner
    return model


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section inside a field's type: Lora of `Lora | None`, Source of `tuple[Source, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((inner for inner in map(section_of, get_args(annotation)) if inner), None)


def nearest(word: str, known: Sequence[str]) -> str:
    """ " (did you mean `text_column`?)", or nothing."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean `{near[0]}`?)" if near else ""


def _told(kind: str, place: Place, value: Any, context: dict[str, Any], message: str) -> str:
    if kind == "extra_forbidden":
        return _unknown_key(place)
    if kind == "missing":
        return f"missing: {_description(place)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        choices = [choice.strip("'") for choice in context["expected"].replace(" or ", ", ").split(", ")]
        near = nearest(str(value), choices)
        return f"expected one of {', '.join(choices)}, got {_shown(value)}{near}"
    if kind == "too_short":
        return f"expected at least {context['min_length']}, got none"
    if kind == "string_pattern_mismatch":
        return f"may have letters, digits, `.`, `_` and `-`, got {_shown(value)}"
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"must be {words} {context[key]:g}, got {_shown(value)}"
    if kind not in _EXPECTED:
        return f"{message}, got {_shown(value)}"
    return f"expected {_EXPECTED[kind]}, got {_shown(value)}{_remedy(kind, value)}"


def _remedy(kind: str, value: Any) -> str:
    if kind == "bool_type" and str(value).lower() in ("no", "off", "n", "0"):
        return " (write false)"
    if kind == "bool_type" and str(value).lower() in ("yes", "on", "y", "1"):
        return " (write true)"
    if kind == "string_type" and value is None:
        return " (write '' for empty text)"
    if kind == "string_type" and isinstance(value, int | float):
        return f" (write '{_shown(value)}')"
    if kind == "tuple_type" and isinstance(value, str):
        return f" (write [{value}])"
    if kind == "tuple_type" and isinstance(value, dict):
        return " (begin each item with `- `)"
    return ""


def _unknown_key(place: Place) -> str:
    *above, last = place
    key, section = str(last), section_at(above)
    known = list(section.model_fields) if section else []
    if near := nearest(key, known):
        return f"unknown key{near}"
    elsewhere = [path for path in _all_keys(Recipe, "") if path.rpartition(".")[2] == key]
    # the whole training section stands in baseline a second time: the shortest places are meant
    shortest = min((path.count(".") for path in elsewhere), default=0)
    if places := [path for path in elsewhere if path.count(".") == shortest]:
        return f"unknown key here (did you mean `{'` or `'.join(places)}`?)"
    return f"unknown key; known here: {', '.join(known)}"


def _all_keys(section: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        inner = section_of(field.annotation)
        if inner:
            several = "0." if "tuple" in str(field.annotation) else ""
            yield from _all_keys(inner, f"{prefix}{name}.{several}")


def _description(place: Place) -> str:
    *above, last = place
    section = section_at(above)
    return (section.model_fields[str(last)].description or "") if section else ""


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:56]}...'"
