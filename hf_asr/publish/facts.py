"""What a finished run folder tells, read once, without any folder of a machine: card and metadata are made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hf_asr import run
from hf_asr.publish.public import EMBEDDED, finished, last_part, recipe_of, results_of, without_paths
from hf_asr.recipe import Recipe, Source
from hf_asr.report.numbered import NAMED

PIPELINE, OWN = "pipeline", "own length"  # evaluation.results has them, too, but would bring torch
ZERO_SHOT, FINE_TUNED, BASELINE = "zero-shot", "fine-tuned", "baseline"
EMBEDDED_NAMES = {"prompts-en": "Asterisk core sounds, English prompts"}


@dataclass(frozen=True)
class Facts:
    """One run. `partner`: the repository of the baseline, or for a baseline that of the fine-tuned model."""

    recipe: Recipe  # in its public form
    hub: tuple[str, ...]  # ids of datasets and checkpoint that were read from the Hub
    results: dict[str, Any]
    data: dict[str, Any]
    environment: dict[str, Any]
    log: tuple[dict[str, Any], ...]
    config: dict[str, Any]  # of the saved model, empty when it is not there
    repository: str | None = None
    partner: str | None = None

    @cached_property
    def systems(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.results["systems"]
        return found

    @property
    def this(self) -> Mapping[str, Any]:
        """Figures of this model, by the plain pipeline."""
        found: Mapping[str, Any] = self.systems[FINE_TUNED]["contexts"][PIPELINE]
        return found

    @property
    def from_scratch(self) -> bool:
        return self.recipe.model.checkpoint is None

    @property
    def base(self) -> str | None:
        """The Hub id of what was fine-tuned; None for a local folder, or random weights."""
        checkpoint = self.recipe.model.checkpoint
        return checkpoint if checkpoint in self.hub else None

    @property
    def model_type(self) -> str | None:
        given = self.config.get("model_type") or (self.recipe.model.from_scratch or {}).get("model_type")
        return str(given) if given else None

    @property
    def whisper(self) -> bool:
        return self.model_type == "whisper" or OWN in self.systems[FINE_TUNED]["contexts"]

    @property
    def name(self) -> str:
        return str(self.results.get("name") or self.recipe.name)

    @property
    def train_hours(self) -> float:
        return float(self.data["sides"]["train"]["hours"])

    def public_name(self, source: Source) -> str:
        """A Hub id, what embedded data is called, or the last part of a folder's name."""
        if source.path.startswith(EMBEDDED):
            name = source.path.removeprefix(EMBEDDED)
            return EMBEDDED_NAMES.get(name, name)
        return source.path if source.path in self.hub else last_part(source.path)


def read(folder: Path, repository: str | None = None, partner: str | None = None) -> Facts:
    """Raises RunError when the run is not finished, with what is missing."""
    finished(folder)
    recipe, hub = recipe_of(folder)
    config = folder / run.MODEL / "config.json"
    data = run.read_json(folder / run.DATA)
    warnings = [NAMED.sub("", without_paths(str(warning))) for warning in data.get("warnings") or ()]
    return Facts(
        recipe=recipe,
        hub=hub,
        results=results_of(folder),
        data={**data, "warnings": warnings},
        environment=run.read_json(folder / run.ENVIRONMENT),
        log=tuple(run.read_lines(folder / run.LOG)),
        config=run.read_json(config) if config.is_file() else {},
        repository=repository,
        partner=partner,
    )


def tested_on(facts: Facts) -> tuple[Source, ...]:
    """The sources that the test side was taken from."""
    return tuple(source for source in facts.recipe.data.sources if source.use in ("test", "split"))
