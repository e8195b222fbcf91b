"""Live transcription on one core: real-time factor, latency and what it costs in words, by the size of the pieces.

    ./scripts/bench streaming [--model embedded:micro] [--minutes 3] [--chunks 0.3 0.6 1.2] [--lm FOLDER]

The test side of recipes/quickstart.yaml, one clip after the other with pauses of 1 to 2 s between them and noise 60 dB
below full scale. Costs are CPU time of one thread (time.process_time), so that a machine that is busy with other
things tells nearly the same; the factor by the clock stands beside it. Words count as shown when they first stood there
as they stayed, and as settled when they were known to stay; both from their ends. WER is against what was said;
changed are the characters that differ from what the same model writes offline for the whole recording.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from hf_asr import recipe
from hf_asr.data.audio import decode
from hf_asr.data.clips import load_clips
from hf_asr.decoding.decoder import Decoder, load
from hf_asr.decoding.ears import RATE, Context
from hf_asr.decoding.live import Session, follow, stream_of
from hf_asr.decoding.sound import cut
from hf_asr.decoding.streaming import CTCStream, Stream
from hf_asr.decoding.transcribe import transcribe_recording
from hf_asr.evaluation.metrics import score
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import Recogniser
from hf_asr.recipe import file as recipe_file
from hf_asr.text.normalise import normalise

CONTEXTS = ((4.0, 0.6), (4.0, 0.3), (4.0, 1.2), (2.0, 0.6), (8.0, 0.6))  # left, right; the first is the default


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded:micro")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--chunks", type=float, nargs="+", default=[0.3, 0.6, 1.2])
    parser.add_argument("--lm", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    settings = recipe_file.load("quickstart", check_exists=False)
    samples, said = recording(settings, given.minutes)
    recogniser = checkpoints.from_folder(given.model, recipe.Whisper(), settings.language)
    recogniser.model.eval()
    decoder = None if given.lm is None else load(given.lm)

    def plain(text: str) -> str:
        return normalise(text, settings.metric, settings.language)

    began = time.process_time()
    offline = plain(transcribe_recording(recogniser, samples, decoder=decoder).text)
    took, seconds = time.process_time() - began, len(samples) / RATE
    wer = score([plain(said)], [offline], resamples=100).wer
    print(f"{given.model}, {seconds:.0f} s of sound, {len(said.split())} words, 1 thread of {torch.__version__}")
    print(f"offline: WER {wer:.1%}, CPU s / audio s {took / seconds:.3f}\n")
    print("| piece s | before, after s | WER | changed | CPU s / audio s | by the clock | shown p50, p90 s ", end="")
    print("| settled p50, p90 s |\n|---|---|---|---|---|---|---|---|")
    for chunk, context in plan(recogniser, given.chunks):
        session = Session(stream(recogniser, decoder, context), clock=time.process_time)
        texts: list[str] = []
        began = time.perf_counter()
        follow(session, cut(samples, chunk), lambda line, to=texts: to.append(line.text), lambda _: None)
        clock = time.perf_counter() - began
        heard = plain(" ".join(texts))
        wer, changed = score([plain(said)], [heard], resamples=100).wer, score([offline], [heard], resamples=100).cer
        kinds = (
            [word.shown - word.end for word in session.words],
            [word.settled - word.end for word in session.words],
        )
        times = (", ".join(f"{value:.2f}" for value in np.quantile(kind or [np.nan], (0.5, 0.9))) for kind in kinds)
        around = f"{context.left:g}, {context.right:g}" if context else "its own"
        print(
            f"| {chunk:g} | {around} | {wer:.1%} | {changed:.1%} | {session.busy / seconds:.3f} "
            f"| {clock / seconds:.3f} | {' | '.join(times)} |",
            flush=True,
        )


def plan(recogniser: Recogniser, chunks: list[float]) -> list[tuple[float, Context | None]]:
    """Piece and context of each row: the default context with all pieces, then other contexts with the middle one."""
    windows = recogniser.family == "ctc" and not getattr(recogniser.model.config, "streaming", False)
    if not windows:
        return [(chunk, None) for chunk in chunks]
    first, *others = (Context(*seconds) for seconds in CONTEXTS)
    middle = sorted(chunks)[len(chunks) // 2]
    return [*((chunk, first) for chunk in chunks), *((middle, context) for context in others)]


def stream(recogniser: Recogniser, decoder: Decoder | None, context: Context | None) -> Stream:
    return stream_of(recogniser, 1, decoder) if context is None else CTCStream(recogniser, decoder, context)


def recording(settings: recipe.Recipe, minutes: float) -> tuple[np.ndarray, str]:
    """Test clips with pauses [samples] at 16 kHz, and what is said in them."""
    draw, parts, said = np.random.default_rng(0), list[np.ndarray](), list[str]()
    for row in load_clips(settings.data, settings.text, settings.language).test:
        parts += [decode(row["audio"]), np.zeros(round(draw.uniform(1, 2) * RATE), np.float32)]
        said.append(row["raw"])
        if sum(map(len, parts)) > minutes * 60 * RATE:
            break
    samples = np.concatenate(parts)
    return samples + 1e-3 * draw.standard_normal(len(samples)).astype(np.float32), " ".join(said)


if __name__ == "__main__":
    main()
