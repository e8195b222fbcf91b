"""Transcribe recordings: upload one or speak. Needs transformers and gradio; made by hf-asr, which it does not need."""

from pathlib import Path
from typing import Any

import gradio as gr
import soundfile
import soxr
from transformers import pipeline

MODEL = "model"  # a Hub id, or a folder beside this file
CODE = False  # whether the network lies in Python files beside the weights, which are then run
RATE = 16_000  # Hz, what the model hears
MAX_SECONDS = 600

beside = Path(__file__).parent / MODEL
recogniser = pipeline(
    "automatic-speech-recognition", model=str(beside) if beside.is_dir() else MODEL, trust_remote_code=CODE
)


def transcribe(path: str | None) -> str:
    """The text of an audio file; raises gr.Error, which the page shows."""
    if path is None:
        return ""
    try:
        with soundfile.SoundFile(path) as sound:
            rate, seconds = sound.samplerate, sound.frames / sound.samplerate
            if seconds > MAX_SECONDS:
                raise gr.Error(f"{seconds / 60:.1f} minutes are too long: at most {MAX_SECONDS // 60}", duration=None)
            samples = sound.read(dtype="float32", always_2d=True).mean(axis=1)
    except soundfile.LibsndfileError as error:
        raise gr.Error(
            "This is no recording that can be read here: use wav, flac, ogg or mp3", duration=None
        ) from error
    if seconds < 0.1:
        raise gr.Error("This is too short to hold a word", duration=None)
    if rate != RATE:
        samples = soxr.resample(samples, rate, RATE)
    options: dict[str, Any] = {}
    if seconds > 30:  # one window is not enough
        whisper = recogniser.type == "seq2seq_whisper"
        options = {"return_timestamps": True} if whisper else {"chunk_length_s": 30, "stride_length_s": 4}
    found: Any = recogniser(samples, **options)
    return str(found["text"]).strip()


demo = gr.Interface(
    transcribe,
    gr.Audio(sources=["upload", "microphone"], type="filepath", label="Recording"),
    gr.Textbox(label="Transcript", lines=4, buttons=["copy"]),
    title=Path(MODEL).name,
    flagging_mode="never",
)

if __name__ == "__main__":
    demo.launch()
