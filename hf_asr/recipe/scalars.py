"""YAML as recipes are written: only true and false are booleans, 1e-4 is a number, a key stands once.

These are the scalars of YAML 1.2. PyYAML's own are those of 1.1, where `no` (Norwegian) is false,
1e-4 is text and 1:30 is 90.
"""

import re
from typing import Any

import yaml

Problem = tuple[str, str]  # where (dotted path or line), what to do

_SCALARS = {
    "null": re.compile(r"(?:~|null|Null|NULL|)$"),
    "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"),
    "int": re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"),
    "float": re.compile(
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}

# what PyYAML says, and what the writer of a recipe can do; {line} is where the unfinished thing began
_ADVICE = [
    (
        "mapping values are not allowed",
        "a second `:` here: put text that has a colon in quotes, or check the indent",
    ),
    (r"found character '\t'", "a tab: indent with spaces"),
    ("expected <block end>", "expected a line indented like the others of its section, which begins on line {line}"),
    ("could not find expected ':'", "expected `key: value`"),
    ("found unexpected end of stream", "expected the closing quote of the text that begins on line {line}"),
    ("expected ',' or ']'", "expected `,` or `]`, to go on with or end the list that begins on line {line}"),
    ("expected ',' or '}'", "expected `,` or `}}`, to go on with or end what begins on line {line}"),
    (
        "found undefined alias",
        "`*name` repeats what `&name` marks, and nothing is: put text with `*` in quotes",
    ),
    ("cannot start any token", "text cannot begin with this character: put it in quotes"),
    ("special characters are not allowed", "a character that is no text: is this a YAML file?"),
]


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML asks for it
        None: [(f"tag:yaml.org,2002:{name}", pattern) for name, pattern in _SCALARS.items()]
    }


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    # `no` and 1e-4 in quotes: readers of YAML 1.1 and of 1.2 must both see text
    quoted = any(pattern.match(data) for pattern in _SCALARS.values())
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="'" if quoted else None)


_Dumper.add_representer(str, _text)


def parse(text: str) -> tuple[Any, list[Problem]]:
    """The plain value of a YAML text, and what is wrong with it: syntax, keys written twice, foreign tags."""
    problems: list[Problem] = []
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        return None, [_syntax(error)]
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return None, [(f"line {line}", _ADVICE[-1][1])]
    return (None if node is None else _value(node, "", problems, ())), problems


def write(value: Any) -> str:
    """YAML that `parse` reads back to the same value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _value(node: yaml.Node, path: str, problems: list[Problem], above: tuple[yaml.Node, ...]) -> Any:
    if any(node is other for other in above):
        problems.append((path, "contains itself (an alias within what it names)"))
        return None
    above = (*above, node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, f"{path}.{i}".lstrip("."), problems, above) for i, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, problems, above)
    return _scalar(node, path, problems)


def _mapping(
    node: yaml.MappingNode, path: str, problems: list[Problem], above: tuple[yaml.Node, ...]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append((path or f"line {line}", "a key is a word, not a list or section"))
            continue
        key = key_node.value
        where = f"{path}.{key}".lstrip(".")
        if key in found:
            problems.append((where, f"is written twice, on lines {lines[key]} and {line}: keep one"))
        found[key], lines[key] = _value(value_node, where, problems, above), line
    return found


def _scalar(node: yaml.Node, path: str, problems: list[Problem]) -> Any:
    text, kind = str(node.value), node.tag.removeprefix("tag:yaml.org,2002:")
    if kind == "null":
        return None
    if kind == "bool" and _SCALARS["bool"].match(text):
        return text.lower() == "true"
    if kind == "int" and _SCALARS["int"].match(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if kind == "float" and _SCALARS["float"].match(text):
        return float(re.sub(r"\.(inf|nan)$", r"\1", text.lower()))
    if kind != "str":
        problems.append((path or f"line {node.start_mark.line + 1}", f"`{node.tag}` has no place in a recipe"))
    return text


def _syntax(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "file"
    begun = error.context_mark.line + 1 if error.context_mark else mark.line + 1 if mark else 0
    said = f"{error.context or ''} {error.problem or ''}".strip()
    for pattern, advice in _ADVICE:
        if pattern in said:
            return where, advice.format(line=begun)
    return where, said
