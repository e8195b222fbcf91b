"""Draws docs/pictures: augment-*.png, an embedded prompt before and after each change of training clips; explain.png.

.venv/bin/python scripts/make_pictures.py [explain]    explain.png and the text beside it in docs/explain.md alone
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

import hf_asr
from hf_asr.data.audio import RATE, decode
from hf_asr.data.augment import augment, gain, spec_augment, speed, telephone, tilt
from hf_asr.data.noise import Samples, add_noise, babble, decaying_noise, pink, reverberate
from hf_asr.recipe.augment import Augment, Noise, Reverb, SpecAugment

matplotlib.use("Agg")
from matplotlib import pyplot

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
CLIPS = Path(hf_asr.__file__).parent / "assets" / "prompts-en" / "clips"
CLIP = "en-tt-monkeysintro.ogg"  # "They have been carried away by monkeys"
EXPLAINED = "en-conf-extended.ogg"  # "The conference has been extended"
DOCS = PICTURES.parent / "explain.md"
WINDOW, HOP = 400, 80  # samples: 25 ms, every 5 ms
SHOWN = (-80, -20)  # dB, from black to the brightest; 0 is the loudest spot of the clip as it was
COLOURS, SHADES = 96, 40  # of a picture, and of its spectrograms: they are noise, which packs badly
EVERYTHING = Augment(
    speed=(0.85, 1.15), gain_db=(-10, 5), noise=Noise(share=0.8), reverb=Reverb(share=0.5), telephone=0.3
)
Panel = tuple[str, Samples]


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    clip = read(CLIP)
    rng = np.random.default_rng(5)
    spectrograms(
        "speed",
        [("as it was", clip), ("speed 0.8: slower", speed(clip, 0.8)), ("speed 1.25: faster", speed(clip, 1.25))],
    )
    rooms = [(f"echo of {time:g} s", reverberate(clip, decaying_noise(time, rng))) for time in (0.2, 0.8)]
    spectrograms("reverb", [("as it was", clip), *rooms], top=4)
    noises = {
        "white": rng.standard_normal(len(clip), dtype=np.float32),
        "pink": pink(len(clip), rng),
        "babble": babble(len(clip), rng, another),
    }
    noisy = [(f"{name}, 10 dB below", add_noise(clip, one, 10)) for name, one in noises.items()]
    spectrograms("noise", [("as it was", clip), *noisy])
    tilted = [("3 dB an octave duller", tilt(clip, -3)), ("3 dB an octave brighter", tilt(clip, 3))]
    spectrograms("tilt", [("as it was", clip), *tilted])
    spectrograms("telephone", [("as it was", clip), ("through a telephone", telephone(clip))])
    waves("gain", [("as it was", clip), ("10 dB softer", gain(clip, -10)), ("5 dB louder", gain(clip, 5))])
    masks(clip)
    epochs = [
        (f"epoch {epoch}", augment(clip, EVERYTHING, np.random.default_rng([0, epoch, 7]), another))
        for epoch in (1, 2, 3)
    ]
    spectrograms("all", [("as it was", clip), *epochs])
    explained()


def read(name: str) -> Samples:
    return decode({"path": str(CLIPS / name), "bytes": None})


def another(rng: np.random.Generator) -> Samples:
    names = sorted(path.name for path in CLIPS.iterdir() if path.name != CLIP)
    return read(names[rng.integers(len(names))])


def powers(samples: Samples) -> np.ndarray:
    """Power in dB [frequencies, frames]."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, WINDOW // 2), WINDOW)[::HOP]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), 512)) ** 2
    return 10 * np.log10(spectrum.T + 1e-12)


def spectrograms(name: str, panels: Sequence[Panel], top: float = 8) -> None:
    loudest = powers(read(CLIP)).max()
    figure, axes = begun(panels)
    for place, (title, samples) in zip(axes, panels, strict=True):
        shown = place.imshow(
            powers(samples) - loudest,
            origin="lower",
            aspect="auto",
            cmap=pyplot.get_cmap("magma", SHADES),
            vmin=SHOWN[0],
            vmax=SHOWN[1],
            extent=(0, len(samples) / RATE, 0, RATE / 2000),
            interpolation="nearest",
        )
        place.set_title(title, fontsize=11)
        place.set_xlabel("seconds")
        place.set_ylim(0, top)
        place.set_xlim(0, max(len(one) for _, one in panels) / RATE)
    axes[0].set_ylabel("kHz")
    figure.colorbar(shown, ax=axes, label="dB", pad=0.02, extend="both")
    save(figure, name)


def waves(name: str, panels: Sequence[Panel]) -> None:
    figure, axes = begun(panels)
    for place, (title, samples) in zip(axes, panels, strict=True):
        place.plot(np.arange(len(samples)) / RATE, np.clip(samples, -1, 1), linewidth=0.4, color="#3b0f70")
        place.set_title(title, fontsize=11)
        place.set_xlabel("seconds")
        place.set_ylim(-1, 1)
        place.set_xlim(0, len(samples) / RATE)
    axes[0].set_ylabel("amplitude")
    save(figure, name)


def masks(clip: Samples) -> None:
    """The log-mel features that Whisper is given, as transformers makes them, with masks and without."""
    from transformers import WhisperFeatureExtractor

    mel = WhisperFeatureExtractor()(clip, sampling_rate=RATE, padding="longest")["input_features"][0]
    settings = SpecAugment(time_share=0.15)
    panels = [("as they were", mel)]
    for epoch in (1, 2):
        changed = mel.copy()
        spec_augment(changed.T, settings, np.random.default_rng([0, epoch, 7]))
        panels.append((f"epoch {epoch}", changed))
    figure, axes = begun(panels)
    for place, (title, shown) in zip(axes, panels, strict=True):
        extent = (0, len(clip) / RATE, 0, 80)
        image = place.imshow(
            shown,
            origin="lower",
            aspect="auto",
            cmap=pyplot.get_cmap("magma", SHADES),
            extent=extent,
            interpolation="nearest",
        )
        place.set_title(title, fontsize=11)
        place.set_xlabel("seconds")
    axes[0].set_ylabel("mel channel")
    figure.colorbar(image, ax=axes, label="log power, as Whisper has it", pad=0.02)
    save(figure, "masks")


def begun(panels: Sequence[Any]) -> tuple[Any, Any]:
    return pyplot.subplots(1, len(panels), figsize=(9, 2.7), sharey=True, layout="constrained")


def save(figure: Any, name: str) -> None:
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=105, metadata={"Software": None})
    pyplot.close(figure)
    pack(drawn, PICTURES / f"augment-{name}.png")


def pack(drawn: io.BytesIO, path: Path) -> None:
    Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def explained() -> None:
    """The page of `hf-asr explain` in a browser, down to the text that is read; its terminal output into the docs."""
    from playwright.sync_api import sync_playwright

    from hf_asr.explain import page, text
    from hf_asr.explain.steps import explain

    found = explain(CLIPS / EXPLAINED, "embedded:micro")
    told = text.text(found)
    document = DOCS.read_text(encoding="utf-8")
    begin, end = "<!-- steps 4 to 6 -->\n", "\n<!-- end -->"
    before, _, rest = document.partition(begin)
    steps = told[told.index("\n4  ") + 1 :].rstrip()
    DOCS.write_text(f"{before}{begin}```\n{steps}\n```{rest[rest.index(end) :]}", encoding="utf-8")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        file = Path(folder, "explain.html")
        file.write_text(page.page(found), encoding="utf-8")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 1060, "height": 900}, color_scheme="light")
        shown.goto(file.as_uri())
        last = shown.locator(".score .result").bounding_box()
        assert last is not None
        size = {"x": 0, "y": 0, "width": 1060, "height": last["y"] + last["height"] + 12}
        drawn = io.BytesIO(shown.screenshot(full_page=True, clip=size))
        browser.close()
    pack(drawn, PICTURES / "explain.png")


if __name__ == "__main__":
    explained() if sys.argv[1:] == ["explain"] else main()
