"""One decode path: in batches, alone, or by plain pipeline(), a clip's hypothesis is the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import pipeline

from hf_asr import recipe
from hf_asr.decoding.ctc import best_path
from hf_asr.decoding.transcribe import RATE, transcribe, transcribe_recording, windows
from hf_asr.models import checkpoints
from hf_asr.models.head import with_head, written_for
from hf_asr.models.recogniser import Recogniser, frame_counter, label_limit

LENGTHS = (0.4, 2.0, 1.1, 3.7, 0.9, 2.6)


@pytest.fixture(scope="module", params=["group", "layer"])
def ctc(request: pytest.FixtureRequest) -> Recogniser:
    torch.manual_seed(4)
    settings = recipe.Model(
        from_scratch={
            "model_type": "wav2vec2",
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "conv_dim": (16, 16, 16),
            "conv_kernel": (10, 8, 8),
            "conv_stride": (8, 8, 5),
            "feat_extract_norm": request.param,
            "num_conv_pos_embeddings": 16,
            "num_conv_pos_embedding_groups": 2,
            "initializer_range": 0.3,  # so that random weights say something
        }
    )
    bare = checkpoints.load(settings, recipe.Whisper(), "en")
    written = written_for(bare, ["the quick brown fox"], recipe.Units())
    recogniser = with_head(bare, written)
    recogniser.model.lm_head.weight.data *= 20
    return recogniser


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [
        (draw.normal(size=round(s * RATE)) * np.linspace(0.01, 1, round(s * RATE))).astype(np.float32) for s in LENGTHS
    ]


def hypotheses(recogniser: Recogniser, clips: list[np.ndarray], batch_seconds: float) -> list[str]:
    seconds = [len(clip) / RATE for clip in clips]
    found = dict(transcribe(recogniser, clips.__getitem__, seconds, full_context=True, batch_seconds=batch_seconds))
    assert sorted(found) == list(range(len(clips)))
    return [found[index].text for index in range(len(clips))]


def test_batches_and_pipeline_agree(ctc: Recogniser, clips: list[np.ndarray], tmp_path: Path) -> None:
    checkpoints.save(ctc, tmp_path, beams=1)
    plain = pipeline("automatic-speech-recognition", model=str(tmp_path))
    expected = [str(plain(clip)["text"]).strip() for clip in clips]
    assert len(set(expected)) == len(expected), "the network says the same of everything: a weak test"
    assert hypotheses(ctc, clips, batch_seconds=1000) == expected
    assert hypotheses(ctc, clips, batch_seconds=4) == expected


def test_frames_are_counted_exactly(ctc: Recogniser) -> None:
    frames = frame_counter(ctc)
    assert frames is not None
    assert label_limit(ctc) is None
    for samples in (1600, 5000, 16_001, 47_999):
        logits = ctc.model(torch.zeros(1, samples)).logits
        assert frames(samples) == logits.shape[1]


@pytest.mark.parametrize("seconds", [29.0, 30.0, 31.0, 56.5, 75.0])
def test_windows_cover_a_long_recording_once(ctc: Recogniser, seconds: float) -> None:
    samples = np.random.default_rng(5).normal(size=round(seconds * RATE)).astype(np.float32)
    pieces = list(windows(ctc, samples))
    frames = frame_counter(ctc)
    assert frames is not None
    assert sum(map(len, pieces)) == frames(len(samples))
    (first,) = best_path(ctc, [samples[: 30 * RATE]])
    assert torch.equal(pieces[0], first[: len(pieces[0])])
    (last,) = best_path(ctc, [samples[(len(pieces) - 1) * 26 * RATE :]])
    assert torch.equal(pieces[-1], last[-len(pieces[-1]) :])


def test_words_have_times(ctc: Recogniser, clips: list[np.ndarray]) -> None:
    with_times = transcribe_recording(ctc, clips[3], times=True)
    assert with_times.text == transcribe_recording(ctc, clips[3]).text
    assert [word.text for word in with_times.words] == with_times.text.split()
    assert all(0 <= word.start < word.end <= 3.7 for word in with_times.words)


@pytest.mark.parametrize("samples", [0, 1, 200])
def test_less_than_a_frame_reads_as_nothing(ctc: Recogniser, samples: int) -> None:
    for times in (False, True):
        found = transcribe_recording(ctc, np.zeros(samples, np.float32), times=times)
        assert (found.text, found.words) == ("", ())
