"""What the Hub asks of the metadata of a model card, without the Hub.

`ModelCard.validate()` asks the Hub itself. These are its documented rules: the specification of the metadata
(modelcard.md of huggingface/hub-docs, August 2026), its list of licences (repositories-licenses.md) and, for
`language`, what huggingface_hub's ModelCardData says: a code of ISO 639-1, -2 or -3. Codes of two letters
are looked up, of the some 7,900 of three letters only the form is known here.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

_LICENCES = (
    "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0"
    " bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc"
    " cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0"
    " cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0"
    " cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1"
    " eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c"
    " ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0 openmdw-1.1 openrail++ osl-3.0 postgresql"
    " ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license fair-noncommercial-research-license llama2"
    " llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community gemma unknown other"
)
LICENCES = frozenset(_LICENCES.split())
_LANGUAGES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en"
    " eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja"
    " jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb"
    " nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so"
    " sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
ISO_639_1 = frozenset(_LANGUAGES.split())
RELATIONS = ("adapter", "merge", "quantized", "finetune")
TASK = "automatic-speech-recognition"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9_][\w.-]{0,95})?", re.ASCII)
_BLOCK = re.compile(r"^\s*---\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)


def is_language(code: Any) -> bool:
    if not isinstance(code, str):
        return False
    return code in ISO_639_1 or bool(re.fullmatch(r"[a-z]{3}", code)) or code in ("code", "multilingual")


def findings(content: str) -> list[str]:
    """What the Hub would refuse or could not use in this README.md; nothing when it is a good model card."""
    found = _BLOCK.match(content)
    if not found:
        return ["no metadata between two lines of ---"]
    try:
        given = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        return [f"the metadata are no YAML: {str(error).splitlines()[0]}"]
    if not isinstance(given, dict):
        return ["the metadata are no mapping"]
    return [*_fields(given), *_index(given.get("model-index", []))]


def _fields(given: dict[str, Any]) -> Iterator[str]:
    for code in _listed(given.get("language")):
        if not is_language(code):
            yield f"language: {code!r} is no code of ISO 639"
    if "license" in given and given["license"] not in LICENCES:
        yield f"license: {given['license']!r} is not on the Hub's list"
    if given.get("license") == "other" and not re.fullmatch(r"[\w.-]+", str(given.get("license_name", ""))):
        yield "license_name: missing, or no id such as my-license-1.0"
    for key in ("base_model", "datasets"):
        for one in _listed(given.get(key)):
            if not (isinstance(one, str) and HUB_ID.fullmatch(one)):
                yield f"{key}: {one!r} is no id of the Hub"
    if given.get("base_model_relation", RELATIONS[0]) not in RELATIONS:
        yield f"base_model_relation: one of {', '.join(RELATIONS)}"
    if given.get("pipeline_tag", TASK) != TASK:
        yield f"pipeline_tag: {given['pipeline_tag']!r} is not {TASK}"
    for key in ("tags", "metrics", "datasets"):
        if not all(isinstance(one, str) for one in _listed(given.get(key))):
            yield f"{key}: a list of texts"


def _index(index: Any) -> Iterator[str]:
    if not isinstance(index, list):
        yield "model-index: must be a list"
        return
    for model in index:
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            yield "model-index: name is missing"
            continue
        for result in model.get("results") or [{}]:
            for part, keys in (("task", ("type",)), ("dataset", ("type", "name"))):
                values = result.get(part) or {}
                yield from (f"model-index: {part}.{key} is missing" for key in keys if not _text(values.get(key)))
            for metric in result.get("metrics") or [{}]:
                if not _text(metric.get("type")) or metric.get("value") is None:
                    yield "model-index: a metric needs type and value"


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
