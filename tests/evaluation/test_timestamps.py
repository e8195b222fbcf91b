"""What makes a clip's timestamps unusable, case by case; and a real Whisper, whose timestamps are known to be good."""

from pathlib import Path

import pytest

from hf_asr import recipe
from hf_asr.data.clips import load_clips
from hf_asr.evaluation import timestamps
from hf_asr.evaluation.timestamps import Segment, check_timestamps, problem
from hf_asr.models import checkpoints
from tests.evaluation import rigged


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([("one", 0.0, 1.5, 2), ("two", 1.5, 4.0, 2)], None),
        ([("one", 0.0, 4.5, 2)], None),  # half a second after the end is let through
        ([("one", 0.0, 4.52, 2)], "ends after the clip"),
        ([("one", 0.0, 2.0, 2), ("two", 1.0, 3.0, 2)], "goes back in time"),
        ([("one", 2.0, 1.0, 2)], "goes back in time"),
        ([("one", 0.0, 2.0, 2), ("two", 1.9999999, 3.0, 2)], None),  # arithmetic, not time
        ([("one", 0.0, 2.0, 2), ("", 2.0, 3.0, 2)], "a segment without text"),
        ([("one", 0.0, 30.0, 1)], "a segment without its end"),
        ([("one", 0.0, 30.0, 0)], "no timestamps"),
        ([("one", 0.0, 2.0, 2), ("two", 2.0, 30.0, 0)], "a segment without its end"),
        ([], "no timestamps"),
    ],
)
def test_problems(segments: list[tuple[str, float, float, int]], expected: str | None) -> None:
    assert problem([Segment(*one) for one in segments], seconds=4.0) == expected


def test_ctc_has_none() -> None:
    recogniser = rigged.recogniser("a")
    clips = load_clips(
        recipe.Data(sources=[recipe.Source(path="embedded:prompts-en", hours=0.01)]), recipe.Text(), "en"
    )
    assert check_timestamps(recogniser, clips.train, beams=1) == {}


@pytest.mark.slow
def test_a_real_whisper_and_ones_that_lost_them(whisper_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = recipe.Source(path="embedded:prompts-en", hours=0.02, use="test")
    clips = load_clips(recipe.Data(sources=[source]), recipe.Text(), "en").test
    recogniser = checkpoints.from_folder(str(whisper_checkpoint), recipe.Whisper(), "en")
    whole = check_timestamps(recogniser, clips, beams=1, limit=5)
    assert whole["clips"] == 5 and whole["valid"] >= 4
    assert whole["valid"] == 5 - len(whole["problems"])
    # told to write none but the first
    settings = recogniser.model.generation_config
    first, kept = settings.no_timestamps_token_id + 1, settings.suppress_tokens
    settings.suppress_tokens = [*kept, *range(first + 1, recogniser.model.config.vocab_size)]
    lost = check_timestamps(recogniser, clips, beams=1, limit=2)
    assert lost == {
        "clips": 2,
        "valid": 0,
        "problems": [[name, "a segment without its end"] for name in clips["id"][:2]],
    }
    settings.suppress_tokens = kept
    monkeypatch.setattr(timestamps, "WINDOWS", 0)
    assert check_timestamps(recogniser, clips, beams=1, limit=1)["problems"][0][1] == "does not move on in time"
