"""The command line: parsing and printing only. Heavy rooms are imported inside the commands."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from hf_asr.errors import UserError

app = typer.Typer(
    help="Fine-tune a pretrained speech recogniser on your recordings, with evidence that it is better.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
recipes = typer.Typer(help="Look at recipes, or write one for a folder of yours.", no_args_is_help=True)
app.add_typer(recipes, name="recipe")

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="a YAML file, or the name of a shipped recipe")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="override, e.g. training.max_steps=200")
]


@app.command(epilog="Example: hf-asr finetune recipes/ljspeech.yaml --set training.max_minutes=60")
def finetune(
    recipe: RecipeName,
    override: Overrides = None,
    dry_run: Annotated[bool, typer.Option(help="check everything, train nothing")] = False,
) -> None:
    """From recordings to a fine-tuned model. The same command again goes on with an interrupted run."""
    from hf_asr.recipe import file as recipe_file

    settings = recipe_file.load(recipe, override or ())
    if dry_run:
        return check(recipe, override)
    quiet()
    from hf_asr.show import results_table
    from hf_asr.training.finetune import finetune as run_recipe

    results = run_recipe(settings)
    if results:
        results_table(results, Path(settings.output))
    return None


@app.command(epilog="Example: hf-asr check my-voice --set data.sources.0.path=recordings")
def check(recipe: RecipeName, override: Overrides = None) -> None:
    """Everything that can be known before a step is trained; exit code 1 when training would fail."""
    from hf_asr.recipe import file as recipe_file

    settings = recipe_file.load(recipe, override or ())
    quiet()
    from hf_asr.show import check_report
    from hf_asr.training.preflight import preflight

    if not check_report(preflight(settings)):
        raise typer.Exit(1)


@app.command(epilog="Example: hf-asr evaluate runs/quickstart/model --recipe quickstart")
def evaluate(
    model: Annotated[str, typer.Argument(help="a saved model folder or a Hub id")],
    recipe: Annotated[str | None, typer.Option(help="its test clips, normaliser and decoding are used")] = None,
    data: Annotated[str | None, typer.Option(help="all clips of this folder, table or Hub dataset")] = None,
    override: Overrides = None,
    language: Annotated[str | None, typer.Option(help="code of the spoken language (with --data)")] = None,
    output: Annotated[Path | None, typer.Option(help="write every clip's hypothesis to this .jsonl file")] = None,
) -> None:
    """WER and CER with intervals, by the decode path of training and of pipeline()."""
    if (recipe is None) == (data is None):
        raise UserError("give either --recipe (its test side is used) or --data (all of its clips are used)")
    quiet()
    from hf_asr.evaluation.standalone import evaluate_data, evaluate_recipe
    from hf_asr.show import evaluation_table

    found = evaluate_recipe(model, recipe, override or ()) if recipe else evaluate_data(model, str(data), language)
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


@app.command(epilog="Example: hf-asr transcribe talk.mp3 --model runs/quickstart/model --format srt")
def transcribe(
    files: Annotated[list[Path], typer.Argument(help="audio files: wav, flac, ogg, opus, mp3; m4a with extra av")],
    model: Annotated[str, typer.Option(help="a saved model folder or a Hub id")],
    format: Annotated[Literal["text", "json", "srt", "vtt"], typer.Option(help="what to print")] = "text",
    language: Annotated[str | None, typer.Option(help="code of the spoken language, for Whisper")] = None,
    beams: Annotated[int | None, typer.Option(min=1, help="Whisper's beam width; default the saved one")] = None,
) -> None:
    """Recordings of any length to text, JSON or subtitles."""
    if format in ("srt", "vtt") and len(files) > 1:
        raise UserError(f"one file at a time as {format}: subtitles of several cannot share an output")
    quiet()
    from hf_asr.decoding.files import transcribe_files

    failed = False
    for file, text in transcribe_files(files, model, format, language, beams):
        if text is None:
            failed = True
        else:
            typer.echo(f"{file}: {text}" if format == "text" and len(files) > 1 else text)
    if failed:
        raise typer.Exit(1)


@recipes.command("list")
def list_recipes() -> None:
    """The shipped recipes and what each is for."""
    from hf_asr.recipe import file as recipe_file

    for name, purpose in recipe_file.shipped():
        typer.echo(f"{name:<18} {purpose}")


@recipes.command("show")
def show_recipe(recipe: RecipeName, override: Overrides = None) -> None:
    """The resolved recipe: every default written out."""
    from hf_asr.recipe import file as recipe_file

    typer.echo(recipe_file.dump(recipe_file.load(recipe, override or ())), nl=False)


@recipes.command("new", epilog="Example: hf-asr recipe new recordings > my-recipe.yaml")
def new_recipe(
    folder: Annotated[Path, typer.Argument(help="a folder with recordings and metadata.csv")],
    family: Annotated[Literal["ctc", "whisper"], typer.Option(help="kind of checkpoint")] = "ctc",
) -> None:
    """Print a commented recipe for a folder of yours."""
    from hf_asr.recipe import file as recipe_file

    typer.echo(recipe_file.new(folder, family), nl=False)


def quiet() -> None:
    """Libraries' progress bars and advice stay off the screen; their warnings about real trouble do not."""
    import os

    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import datasets
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()


def main() -> None:
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted: the same command again goes on from the last checkpoint", file=sys.stderr)
        sys.exit(130)
