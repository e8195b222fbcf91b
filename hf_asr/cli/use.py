"""Using a model: files, a page, the Hub."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from hf_asr.cli.shared import LanguageModelFolder, app, quiet
from hf_asr.errors import UserError


@app.command(
    epilog="Examples: hf-asr transcribe talk.mp3 --model runs/quickstart/model --format srt;"
    " arecord -f S16_LE -r 16000 | hf-asr transcribe --stream - --model runs/quickstart/model"
)
def transcribe(
    files: Annotated[list[Path], typer.Argument(help="audio files: wav, flac, ogg, opus, mp3; m4a with extra av")],
    model: Annotated[str, typer.Option(help="a saved model folder or a Hub id")],
    format: Annotated[Literal["text", "json", "srt", "vtt"], typer.Option(help="what to print")] = "text",
    language: Annotated[str | None, typer.Option(help="code of the spoken language, for Whisper")] = None,
    beams: Annotated[int | None, typer.Option(min=1, help="Whisper's beam width; default the saved one")] = None,
    lm: LanguageModelFolder = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="text while it is spoken: a file, mic (extra `mic`), or - for a pipe")
    ] = False,
    chunk: Annotated[
        float | None, typer.Option(min=0.05, max=20, help="with --stream: seconds read at a time; CTC 0.6, Whisper 2")
    ] = None,
) -> None:
    """Recordings of any length to text, JSON or subtitles; or live, line by line, with --stream."""
    if stream:
        if len(files) > 1 or format in ("srt", "vtt"):
            raise UserError("--stream takes one file, mic or -, and writes text or json")
        quiet()
        from hf_asr.decoding.live import transcribe_live

        transcribe_live(str(files[0]), model, format, language, beams, lm, chunk, typer.echo)
        return
    if format in ("srt", "vtt") and len(files) > 1:
        raise UserError(f"one file at a time as {format}: subtitles of several cannot share an output")
    quiet()
    from hf_asr.decoding.files import transcribe_files

    failed = False
    for file, text in transcribe_files(files, model, format, language, beams, lm):
        if text is None:
            failed = True
        else:
            typer.echo(f"{file}: {text}" if format == "text" and len(files) > 1 else text)
    if failed:
        raise typer.Exit(1)


@app.command(epilog="Example: hf-asr demo runs/quickstart")
def demo(
    target: Annotated[str, typer.Argument(metavar="RUN|MODEL", help="a finished run, a saved folder or a Hub id")],
    zero_shot: Annotated[
        str | None, typer.Option(help="beside it; default the run's checkpoint; `none` leaves it out")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="beside it; default the run's baseline; `none` leaves it out")
    ] = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="where the page is served")] = 7860,
    share: Annotated[bool, typer.Option("--share", help="a public link through Gradio's servers")] = False,
) -> None:
    """A page to record, upload and listen: what each system hears, side by side (extra `demo`)."""
    quiet()
    from hf_asr.app.demo import serve

    serve(target, host, port, share, zero_shot, baseline)


@app.command(epilog="Example: hf-asr push runs/mine --to USER/NAME --dry-run")
def push(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="a finished run")],
    to: Annotated[str | None, typer.Option(metavar="USER/NAME", help="where to; default the recipe's hub.to")] = None,
    private: Annotated[bool, typer.Option("--private", help="make the repository private")] = False,
    baseline: Annotated[bool, typer.Option("--baseline", help="the network from scratch, too, beside it")] = False,
    space: Annotated[bool, typer.Option("--space", help="a page to try it in a browser, too")] = False,
    with_audio: Annotated[bool, typer.Option("--with-audio", help="keep test recordings in the report")] = False,
    pr: Annotated[bool, typer.Option("--pr", help="as a pull request")] = False,
    onto: Annotated[str | None, typer.Option(metavar="COMMIT", help="over this commit, which is not ours")] = None,
    allow: Annotated[list[str] | None, typer.Option(metavar="NAME", help="a user name that may be read")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="name every file and its size, send nothing")] = False,
) -> None:
    """A finished run to the Hub: model, card and evidence, in one commit with what changed."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from hf_asr.app.space import space as space_of
    from hf_asr.publish.hub import How, told
    from hf_asr.publish.hub import push as send
    from hf_asr.publish.plan import in_words, plan, settings

    hub = settings(folder, to)
    where = str(hub.to)
    page = space_of(where, folder) if space else None
    if dry_run:
        wanted = plan(folder, where, baseline, page, with_audio, allow or ())
        typer.echo("\n".join(in_words(one) for one in wanted))
        if any(one.findings for one in wanted):
            raise typer.Exit(1)
        return
    how = How(private=private or hub.private, pr=pr, onto=onto)
    for done in send(folder, where, how, baseline=baseline, space=page, audio=with_audio, allow=allow or ()):
        typer.echo(told(done))
