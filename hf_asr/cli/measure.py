"""How good a model is, and what lies between two of them."""

from pathlib import Path
from typing import Annotated

import typer

from hf_asr.cli.shared import LanguageModelFolder, Overrides, app, quiet
from hf_asr.errors import UserError


@app.command(epilog="Example: hf-asr evaluate runs/quickstart/model --recipe quickstart")
def evaluate(
    model: Annotated[str, typer.Argument(help="a saved model folder or a Hub id")],
    recipe: Annotated[str | None, typer.Option(help="its test clips, normaliser and decoding are used")] = None,
    data: Annotated[str | None, typer.Option(help="all clips of this folder, table or Hub dataset")] = None,
    split: Annotated[str | None, typer.Option(help="of a Hub dataset with several (with --data)")] = None,
    override: Overrides = None,
    language: Annotated[str | None, typer.Option(help="code of the spoken language (with --data)")] = None,
    output: Annotated[Path | None, typer.Option(help="write every clip's hypothesis to this .jsonl file")] = None,
    lm: LanguageModelFolder = None,
) -> None:
    """WER and CER with intervals, by the decode path of training and of pipeline()."""
    if (recipe is None) == (data is None):
        raise UserError("give either --recipe (its test side is used) or --data (all of its clips are used)")
    _require_fitting(recipe, data, override, split, language)
    quiet()
    from hf_asr.decoding.decoder import asked
    from hf_asr.evaluation.standalone import evaluate_data, evaluate_recipe
    from hf_asr.show import evaluation_table

    decoder = asked(lm, model)
    if recipe:
        found = evaluate_recipe(model, recipe, override or (), decoder)
    else:
        found = evaluate_data(model, str(data), language, decoder, split)
    evaluation_table(found, output)


@app.command(epilog="Example: hf-asr compare runs/ours runs/lora --model openai/whisper-small")
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="finished runs, tested on the same clips")],
    model: Annotated[list[str] | None, typer.Option(help="a saved folder or Hub id to read on the same clips")] = None,
    output: Annotated[Path | None, typer.Option(help="where to write it; default comparison.md in the first")] = None,
) -> None:
    """Is the first run's model better than the others? WER with intervals and paired tests on the same clips."""
    quiet()
    from hf_asr import run
    from hf_asr.evaluation.comparison import compare_runs, markdown
    from hf_asr.show import comparison_table

    found = compare_runs(runs, model or ())
    comparison_table(found)
    run.write(output or runs[0] / "comparison.md", markdown(found))
    typer.echo(f"written to {output or runs[0] / 'comparison.md'}")


@app.command(epilog="Example: hf-asr report runs/quickstart")
def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, finished or not")],
    worst: Annotated[int, typer.Option(min=0, help="recordings in the file, of the clips with the most errors")] = 20,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="embed recordings")] = True,
    watch: Annotated[bool, typer.Option("--watch", help="build anew every 15 s until the run is finished")] = False,
) -> None:
    """One HTML file about a run: results, curves, slices and every test clip, said and heard."""
    from hf_asr.report import page

    built = page.watch(folder, audio, worst) if watch else iter([page.write(folder, audio, worst)])
    for number, path in enumerate(built):
        if number == 0:
            typer.echo(f"{path}: open it in a browser")


@app.command(epilog="Example: hf-asr average openai/whisper-small runs/mine/model --weight 0.7 --output runs/mixed")
def average(
    a: Annotated[str, typer.Argument(metavar="A", help="the checkpoint that was fine-tuned: a folder or Hub id")],
    b: Annotated[str, typer.Argument(metavar="B", help="what became of it")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder to make")],
    weight: Annotated[str, typer.Option(help="share of B, 0 to 1, or `auto`: chosen on validation")] = "auto",
    recipe: Annotated[str | None, typer.Option(help="for `auto`: its validation clips are read")] = None,
    data: Annotated[str | None, typer.Option(help="for `auto`: all clips of this folder are read")] = None,
    split: Annotated[str | None, typer.Option(help="of a Hub dataset with several (with --data)")] = None,
    override: Overrides = None,
    language: Annotated[str | None, typer.Option(help="code of the spoken language (with --data)")] = None,
) -> None:
    """Weights between two checkpoints, against forgetting; how much of each is chosen on validation, never on test."""
    if weight == "auto" and (recipe is None) == (data is None):
        raise UserError("--weight auto chooses on clips: give --recipe (its validation side) or --data")
    if weight != "auto" and (recipe or data):
        raise UserError("--recipe and --data go with --weight auto")
    _require_fitting(recipe, data, override, split, language)
    quiet()
    from hf_asr.evaluation.weights import best, try_on_data, try_on_recipe
    from hf_asr.models.average import average as mix
    from hf_asr.show import weights_table

    if weight == "auto":
        tried = (
            try_on_recipe(a, b, recipe, override or (), output)
            if recipe
            else try_on_data(a, b, str(data), language, output, split=split)
        )
        weights_table(tried)
        share = best(tried).weight
    else:
        try:
            share = float(weight)
        except ValueError:
            raise UserError(f"--weight is a number from 0 to 1, or auto, not {weight!r}") from None
    mix(a, b, share, output)
    typer.echo(f"{output}: {1 - share:g} of {a}, {share:g} of {b}")


def _require_fitting(
    recipe: str | None, data: str | None, override: list[str] | None, split: str | None, language: str | None
) -> None:
    """Nothing that is asked for is passed over."""
    if override and recipe is None:
        raise UserError("--set changes a recipe: it goes with --recipe")
    if split and data is None:
        raise UserError("--split goes with --data; a recipe's is data.sources.0.split")
    if language and data is None:
        raise UserError("--language goes with --data; a recipe's is --set language=...")
