"""report.html of a run folder: what is in the folder, in one file that works without a network."""

import base64
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from hf_asr import __version__, run
from hf_asr.recipe import Recipe, scalars
from hf_asr.recipe import file as recipe_file
from hf_asr.report import clips, figures, numbered, words

LIMIT = 10_000_000  # bytes of the file
MARGIN = 20_000  # of them for the notes that are only known when the clips are in
WATCH_SECONDS = 15
LISTED = 500  # clips left out that the page names; data.json has all
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Found:
    """What lies in a run folder so far; what does not is empty or None."""

    folder: Path
    recipe: Recipe
    results: dict[str, Any]
    data: dict[str, Any]
    environment: dict[str, Any]
    log: list[Any]
    baseline_log: list[Any]
    predictions: list[Any]


def write(folder: Path, audio: bool = True, worst: int = 20, refresh: int | None = None) -> Path:
    """Build report.html in the run folder and return its path; see `build`."""
    run.write(folder / run.REPORT, build(folder, audio, worst, refresh))
    return folder / run.REPORT


def build(folder: Path, audio: bool = True, worst: int = 20, refresh: int | None = None, named: bool = True) -> str:
    """The report of a run, finished or not, as one HTML text of at most 10 MB.

    audio: embed recordings, of the `worst` clips, which are also the clips on a page of the list. refresh: seconds
    after which an unfinished run's page loads itself anew. named: False for a page that others shall see, with clips
    and speakers by number. Raises RunError when the folder holds no run, or one of an older version.
    """
    found = read(folder)
    if not named:
        rows, results = numbered.rows_and_results(found.predictions, found.results)
        found = replace(found, predictions=rows, results=results, data=numbered.data(found.data))
    context = _context(found) | {
        "worst": worst,
        "audio": audio and worst > 0,
        "refresh": None if found.results else refresh,
    }
    template = _templates().get_template("template.html")
    shell = template.render(context, island=clips.NOTHING)
    room = LIMIT - MARGIN - len(shell.encode("utf-8", "replace"))
    systems = list(found.results.get("systems", {}))
    island = clips.island(found.folder, found.predictions, found.recipe, systems, worst if audio else 0, room)
    text = template.render(context, island=island)
    return text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be written


def watch(folder: Path, audio: bool = True, worst: int = 20, pause: float = WATCH_SECONDS) -> Iterator[Path]:
    """Build the report every `pause` seconds until the run is finished, and once more then; its path each time."""
    finished = False
    while not finished:
        finished = (folder / run.RESULTS).exists()
        yield write(folder, audio, worst, WATCH_SECONDS)
        if not finished:
            time.sleep(pause)


def read(folder: Path) -> Found:
    """Raises RunError when this is no run folder, or its results.json is of an older version."""
    if not (folder / run.RECIPE).is_file():
        raise run.RunError(f"{folder} is no run folder: give the one that `hf-asr finetune` writes to (`output`)")
    results = _json(folder / run.RESULTS)
    if results and "systems" not in results:
        raise run.RunError(f"{folder / run.RESULTS} is of an older version: run the recipe anew with another `output`")
    return Found(
        folder=folder,
        recipe=recipe_file.load(str(folder / run.RECIPE), check_exists=False),
        results=words.without_folders(results),
        data=words.without_folders(_json(folder / run.DATA)),
        environment=_json(folder / run.ENVIRONMENT),
        log=run.read_lines(folder / run.LOG),
        baseline_log=run.read_lines(folder / run.BASELINE / run.LOG),
        predictions=run.read_lines(folder / run.PREDICTIONS) if results else [],
    )


def _json(path: Path) -> dict[str, Any]:
    value = run.read_json(path) if path.is_file() else {}
    return value if isinstance(value, dict) else {}


def _templates() -> Environment:
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    formats = [words.percent, words.interval, words.points, words.chance, words.number, words.big, words.plain]
    environment.filters.update({one.__name__: one for one in (*formats, words.megabytes, words.gibibytes)})
    return environment


def _context(found: Found) -> dict[str, Any]:
    """Everything the template shows but the clips."""
    results, recipe = found.results, found.recipe
    systems = results.get("systems", {})
    sentence, tone = words.verdict(results) if systems else ("", "none")
    dots, dot_ticks = figures.whiskers(systems)
    slices = results.get("slices") or []
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("style.css", "page.js"))
    return {
        "policy": policy(style, script),
        "style": Markup(style),
        "script": Markup(script),
        "version": __version__,
        "name": results.get("name") or recipe.name,
        "language": results.get("language") or recipe.language or "",
        "recipe": scalars.write(words.without_folders(recipe.model_dump())),
        "start": words.without_folders(recipe.model.checkpoint or "random weights"),
        "results": results,
        "systems": systems,
        "sentence": sentence,
        "tone": tone,
        "updated": _updated(found),
        "progress": _progress(found),
        "dots": dots,
        "dot_ticks": dot_ticks,
        "curves": _curves(found),
        "slices": _groups(slices),
        "slice_systems": [name for name in systems if any(name in row["systems"] for row in slices)],
        "full_bar": figures.bars(slices),
        "data": found.data,
        "listed": LISTED,
        "environment": found.environment,
    }


def policy(style: str, script: str) -> str:
    """Content-Security-Policy: this style and this script, recordings within the file, nothing from anywhere else."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    style_hash, script_hash = hashes
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}';"
        " media-src data:; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _updated(found: Found) -> datetime:
    """When the run last wrote down something."""
    names = (run.RESULTS, run.LOG, f"{run.BASELINE}/{run.LOG}", run.DATA, run.RECIPE)
    times = [(found.folder / name).stat().st_mtime for name in names if (found.folder / name).exists()]
    return datetime.fromtimestamp(max(times)).astimezone()


def _progress(found: Found) -> dict[str, Any]:
    """How far an unfinished run is: what it does, its step of so many, and its looks at validation."""
    training = found.recipe.training
    log, doing = found.log, "training"
    if found.baseline_log:
        log, doing = found.baseline_log, "training the baseline"
        training = (found.recipe.baseline and found.recipe.baseline.training) or training
    last = log[-1] if log else {}
    looks = [row for row in log if words.is_number(row.get("eval_wer"))]
    return {
        "doing": doing if log else "preparing" if not found.data else "training",
        "step": last.get("step", 0),
        "steps": training.max_steps,
        "minutes": last.get("minutes"),
        "epoch": last.get("epoch"),
        "latest": looks[-1] if looks else None,
        "best": min(looks, key=lambda row: float(row["eval_wer"])) if looks else None,
    }


def _curves(found: Found) -> list[dict[str, Any]]:
    """Loss and validation of the run, and of its baseline."""
    best = (found.results.get("training") or {}).get("best_step")
    curves = []
    for title, log, step in (("", found.log, best), ("The network from scratch", found.baseline_log, None)):
        plots = [figures.loss_plot(log), figures.validation_plot(log, step)]
        looks = [row for row in log if words.is_number(row.get("eval_wer"))]
        if any(plots):
            curves.append({"title": title, "plots": [asdict(p) for p in plots if p], "looks": looks[-figures.MOST :]})
    return curves


def _groups(slices: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    names = dict.fromkeys(row["by"] for row in slices)
    return [(name, [row for row in slices if row["by"] == name]) for name in names]
