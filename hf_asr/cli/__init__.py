"""The command line: parsing and printing only. Heavy rooms are imported inside the commands."""

import sys

from hf_asr.cli import explain, finetune, measure, use  # noqa: F401  # each adds its commands
from hf_asr.cli.shared import app, recipes
from hf_asr.errors import UserError

app.add_typer(recipes, name="recipe")


def main() -> None:
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; `hf-asr finetune` goes on from its last checkpoint when it is given again", file=sys.stderr)
        sys.exit(130)
