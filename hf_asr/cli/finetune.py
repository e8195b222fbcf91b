"""Recipes, the check before training, and training."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hf_asr.cli.shared import Overrides, RecipeName, app, quiet, recipes


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
    """Everything that can be known before a step is trained; exit code 2 when training would fail."""
    from hf_asr.recipe import file as recipe_file

    settings = recipe_file.load(recipe, override or ())
    quiet()
    from hf_asr.show import check_report
    from hf_asr.training.finetune import require_open
    from hf_asr.training.preflight import preflight

    check_report(preflight(settings))
    require_open(settings)


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
