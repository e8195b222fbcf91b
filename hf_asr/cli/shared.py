"""What the commands share."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Fine-tune a pretrained speech recogniser on your recordings, with evidence that it is better.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
recipes = typer.Typer(help="Look at recipes, or write one for a folder of yours.", no_args_is_help=True)

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="a YAML file, or the name of a shipped recipe")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="override, e.g. training.max_steps=200")
]

LanguageModelFolder = Annotated[
    Path | None, typer.Option("--lm", metavar="FOLDER", help="a model folder with a language model, for CTC")
]


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
