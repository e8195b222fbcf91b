"""What the Hub asks of the metadata of a README.md before it takes a commit with it."""

import re
from typing import Any

import yaml

LICENCES = {"apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-sa-3.0", "cc-by-nc-4.0", "cc0-1.0", "other"}
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|multilingual|code")
REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")
TASK = re.compile(r"[a-z]+(-[a-z]+)*")
SDKS = {"gradio", "docker", "static"}


def findings(content: str, kind: str) -> tuple[list[str], list[str]]:
    """Errors and warnings."""
    found = re.match(r"\s*---\r?\n(.*?)\r?\n---(\r?\n|$)", content, re.DOTALL)
    if not found:
        return [], ["empty or missing yaml metadata in repo card"]
    try:
        given = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        return [f"YAML: {str(error).splitlines()[0]}"], []
    if not isinstance(given, dict):
        return ["metadata must be a mapping"], []
    return list(_errors(given, kind)), []


def _errors(given: dict[str, Any], kind: str) -> Any:
    if "license" in given and given["license"] not in LICENCES:
        yield f'"license" must be one of {sorted(LICENCES)}'
    for language in _listed(given.get("language")):
        if not isinstance(language, str) or not LANGUAGE.fullmatch(language):
            yield '"language" must be codes of ISO 639, as texts'
    for key in ("base_model", "datasets", "models"):
        for one in _listed(given.get(key)):
            if not isinstance(one, str) or not REPOSITORY.fullmatch(one):
                yield f'"{key}" with value "{one}" is not valid'
    if "pipeline_tag" in given and not TASK.fullmatch(str(given["pipeline_tag"])):
        yield '"pipeline_tag" is not a task'
    if "tags" in given and not (isinstance(given["tags"], list) and all(isinstance(tag, str) for tag in given["tags"])):
        yield '"tags" must be a list of texts'
    if kind == "space" and given.get("sdk") not in SDKS:
        yield f'"sdk" must be one of {sorted(SDKS)}'
    if "model-index" in given:
        yield from _index(given["model-index"])


def _index(index: Any) -> Any:
    if not isinstance(index, list):
        yield '"model-index" must be an array'
        return
    for model in index:
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            yield '"model-index[0].name" is required'
            continue
        for result in model.get("results", []):
            if not isinstance(result.get("task", {}).get("type"), str):
                yield '"model-index[0].results[0].task.type" is required'
            if not {"type", "name"} <= result.get("dataset", {}).keys():
                yield '"model-index[0].results[0].dataset" needs "type" and "name"'
            if not all({"type", "value"} <= metric.keys() for metric in result.get("metrics", [{}])):
                yield '"model-index[0].results[0].metrics[0]" needs "type" and "value"'


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
