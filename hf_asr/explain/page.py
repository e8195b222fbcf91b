"""What `hf-asr explain --output` writes: the steps as one HTML file that works without a network.

Pictures are in it, the sound is, and no style or script from anywhere else; the look is that of the report.
"""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from hf_asr import __version__, report
from hf_asr.data.audio import RATE
from hf_asr.explain import ice_cream, pictures
from hf_asr.explain.marks import ctc, whisper
from hf_asr.explain.steps import Clip, Explained
from hf_asr.explain.text import times
from hf_asr.explain.whisper import Written
from hf_asr.report.page import policy

HERE = Path(__file__).parent


def page(found: Explained) -> str:
    """A clip's page."""
    clip = found.clip
    shown: dict[str, Any] = {"title": clip.name, "clip": clip, "model": found.model, "sound": _sound(clip)}
    shown |= {"wave": _wave(clip), "spectrogram": _spectrogram(clip, found.written)}
    if found.heard is not None:
        return _render(shown | {"cases": [ctc(found.heard, clip.seconds, "")]})
    assert found.written is not None
    return _render(shown | {"cases": [whisper(found.written, clip.seconds)]})


def demonstration() -> str:
    """The page of the built-in case."""
    lm = ice_cream.model()
    cases = [ctc(ice_cream.case(lm, before), None, before.strip()) for before in ice_cream.BEFORE]
    chances = [(history, f"{ice:.3f}", f"{i:.3f}") for history, ice, i in ice_cream.chances(lm)]
    shown = {"title": "I scream or ice cream?", "sentences": ice_cream.SENTENCES, "chances": chances}
    return _render({**shown, "clip": None, "cases": cases})


def _render(shown: dict[str, Any]) -> str:
    # the head is the report's
    loader = FileSystemLoader((HERE, Path(report.__file__).parent))
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"score": score, "signed": signed, "times": times}
    wide = "".join(f"#case{at} {{ --wide: {case['wide']}px; }}\n" for at, case in enumerate(shown["cases"]))
    looks = (Path(report.__file__).with_name("style.css"), HERE / "page.css")
    style = "".join(path.read_text(encoding="utf-8") for path in looks) + wide
    script = (HERE / "page.js").read_text(encoding="utf-8")
    inside = {"style": Markup(style), "script": Markup(script), "policy": policy(style, script)}
    return environment.get_template("page.html").render(shown, version=__version__, **inside)


def score(value: float) -> str:
    """A logarithm with a proper minus."""
    return f"{value:.2f}".replace("-", "−")


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _sound(clip: Clip) -> str:
    """What the network hears, as a data address."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(clip.samples, -1, 1), RATE, format="FLAC")
    return "data:audio/flac;base64," + base64.b64encode(file.getvalue()).decode()


def _wave(clip: Clip) -> dict[str, Any]:
    """The waveform's path on an axis up to the next tenth of full scale."""
    limit = max(0.01, np.ceil(10 * np.abs(clip.samples).max()) / 10) if np.abs(clip.samples).max() > 0.05 else 0.05
    columns = max(2000, round(600 * clip.seconds))  # of long clips the axis is as many px wide
    return {"path": pictures.wave(clip.samples / limit, columns), "columns": columns, "limit": f"{limit:g}"}


def _spectrogram(clip: Clip, written: Written | None) -> dict[str, Any]:
    scale = pictures.warm(np.linspace(0, 1, 128)[None], 0, 1)
    if written is None:
        image = pictures.warm(pictures.powers(clip.samples), pictures.FLOOR, 0)
        return {"image": image, "scale": scale, "mel": False, "low": f"−{-pictures.FLOOR:.0f}", "high": "0"}
    low, high = float(written.mel.min()), float(written.mel.max())
    ends = {"low": f"{low:.1f}".replace("-", "−"), "high": f"{high:.1f}".replace("-", "−")}
    image = pictures.warm(written.mel, low, high)
    return {"image": image, "scale": scale, "mel": True, "channels": len(written.mel), **ends}
