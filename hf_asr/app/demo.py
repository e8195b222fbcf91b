"""The page in a browser, from this computer and with nothing fetched from any other (extra `demo`)."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hf_asr.app import events, live, page
from hf_asr.app.systems import Exhibit, open_exhibit
from hf_asr.errors import UserError
from hf_asr.screen import say

MAX_BYTES = 120 * 2**20  # of a file: ten minutes of stereo at 48 kHz
PLAIN: dict[str, Any] = {"apply_default_css": False}  # the style sheet beside this is all the page's HTML needs
KEPT_SECONDS = 3600  # uploads and downloads; all of them go when the server stops


def serve(
    target: str,
    host: str = "127.0.0.1",
    port: int = 7860,
    share: bool = False,
    zero_shot: str | None = None,
    baseline: str | None = None,
) -> None:
    """Load the models and serve the page until interrupted. Raises UserError."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was uploaded goes then, too
    with tempfile.TemporaryDirectory(prefix="hf-asr-demo-") as folder:
        prepare(Path(folder))
        exhibit = open_exhibit(target, zero_shot, baseline)
        demo = build(exhibit)
        try:
            demo.launch(server_name=host, server_port=port, share=share, prevent_thread_lock=True, **settings())
        except OSError as error:
            raise UserError(f"port {port} of {host} cannot be used: {error}; choose another with --port") from error
        say(f"[bold]{exhibit.title}[/]  {demo.local_url}  (Ctrl+C ends it)")
        if demo.share_url:
            say(f"  anybody who has this address can use it: {demo.share_url}")
        demo.block_thread()


def prepare(folder: Path) -> None:
    """Have gradio keep its files in `folder` and ask no other computer for anything. Raises UserError without it."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # both are read when it is imported
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise UserError('the page needs gradio: pip install "hf-asr[demo]"') from error


def settings() -> dict[str, Any]:
    """launch()'s arguments: the reader's own fonts, no file but the page's own, no endpoints beside it."""
    import gradio as gr

    theme = gr.themes.Default(
        primary_hue="teal", font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace")
    )
    return {
        "theme": theme,
        "css_paths": Path(__file__).with_name("page.css"),
        "quiet": True,
        "footer_links": [],
        "run_history": False,
        "allowed_paths": [],
        "max_file_size": MAX_BYTES,
        "show_error": False,  # the text of an unforeseen error may name a path
        "enable_monitoring": False,
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
    }


def build(exhibit: Exhibit) -> Any:
    """The page, not yet served: gradio.Blocks."""
    import gradio as gr

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    with gr.Blocks(
        title=exhibit.title, analytics_enabled=False, delete_cache=(KEPT_SECONDS // 6, KEPT_SECONDS)
    ) as demo:
        gr.HTML(page.header(exhibit), **PLAIN)
        with gr.Tab("A clip"):
            clip = gr.Audio(
                sources=["upload", "microphone"], type="filepath", label="Recording", buttons=[], elem_id="clip"
            )
            heard = gr.HTML(page.cards(exhibit, {}), elem_id="heard", **PLAIN)

            def on_clip(path: str | None) -> Iterator[str]:
                yield from events.on_clip(exhibit, path)

            clip.change(on_clip, clip, heard, **quiet)
        with gr.Tab("Live"):
            _live_tab(exhibit)
        with gr.Tab("Many files"):
            _files_tab(exhibit, quiet)
        gr.HTML(page.KEPT, **PLAIN)
    demo.queue(default_concurrency_limit=1, max_size=64)
    return demo


def _live_tab(exhibit: Exhibit) -> None:
    import gradio as gr

    sessions: dict[str, live.Session] = {}

    # called from live.js under these names
    def hear(asked: dict[str, Any]) -> dict[str, Any]:
        return events.on_hear(sessions, asked, exhibit)

    def finish(asked: dict[str, Any]) -> dict[str, Any]:
        return events.on_finish(sessions, asked, exhibit)

    script = Path(__file__).with_name("live.js").read_text(encoding="utf-8")
    gr.HTML(page.LIVE, js_on_load=script, server_functions=[hear, finish], elem_id="live", **PLAIN)


def _files_tab(exhibit: Exhibit, quiet: dict[str, Any]) -> None:
    import gradio as gr

    files = gr.File(file_count="multiple", type="filepath", label="Recordings", height=180, elem_id="files")
    several = sum(system.recogniser is not None for system in exhibit.systems) > 1
    with gr.Row():
        folder = gr.UploadButton(
            "A whole folder …", file_count="directory", type="filepath", size="md", elem_id="folder"
        )
        compare = gr.Checkbox(label="with the other models, too", visible=several, container=False)
    table = gr.HTML(elem_id="table", **PLAIN)
    with gr.Row():
        buttons = [gr.DownloadButton(f"Download {kind}", interactive=False, size="sm") for kind in ("JSONL", "CSV")]

    def on_files(paths: list[str] | None, others: bool) -> Iterator[tuple[Any, ...]]:
        for html, ready in events.on_files(exhibit, paths, others):
            yield html, *(gr.DownloadButton(value=path, interactive=bool(path)) for path in ready or (None, None))

    for given in (files, folder):
        given.upload(on_files, [given, compare], [table, *buttons], **quiet)
