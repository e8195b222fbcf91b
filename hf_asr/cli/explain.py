"""One clip, step by step."""

from pathlib import Path
from typing import Annotated

import typer

from hf_asr.cli.shared import LanguageModelFolder, app, quiet
from hf_asr.errors import UserError


@app.command(epilog="Example: hf-asr explain clip.wav --model embedded:micro --output clip.html")
def explain(
    clip: Annotated[
        Path | None, typer.Argument(metavar="[CLIP]", help="an audio file; without one a built-in case is shown")
    ] = None,
    model: Annotated[str | None, typer.Option(help="a saved model folder or a Hub id")] = None,
    lm: LanguageModelFolder = None,
    language: Annotated[str | None, typer.Option(help="code of the spoken language, for Whisper")] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE.html", help="one page to look at")] = None,
) -> None:
    """From sound to text step by step; without a clip: what a language model makes of "I scream"."""
    if clip is None and (model or lm):
        raise UserError("which clip? e.g. hf-asr explain clip.wav --model " + str(model or "MODEL"))
    if clip is not None and model is None:
        raise UserError(f"which model? e.g. hf-asr explain {clip} --model embedded:micro")
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--output {output}: the page is HTML, so name it {output.with_suffix('.html')}")
    quiet()
    from hf_asr import run
    from hf_asr.explain import page as pages
    from hf_asr.explain import text
    from hf_asr.explain.steps import explain as follow

    if clip is None:
        typer.echo(text.demonstration(), nl=False)
        page = pages.demonstration
    else:
        found = follow(clip, str(model), lm, language)
        typer.echo(text.text(found), nl=False)

        def page() -> str:
            return pages.page(found)

    if output is None:
        typer.echo("\n--output FILE.html makes one page of it, with pictures and the sound.")
    else:
        run.write(output, page())
        typer.echo(f"\n{output}: open it in a browser")
