"""Whisper's prompt: what is trained is what generate() will use."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

from hf_asr.models.prompt import needs_language, saved_language, set_prompt
from hf_asr.models.recogniser import CheckpointError

START, ENGLISH, WELSH, TRANSCRIBE, NO_TIMES = 3, 4, 5, 6, 7


class Tokenizer:
    """The two things that are asked of WhisperTokenizer."""

    prefix_tokens = (START, NO_TIMES)

    def set_prefix_tokens(self, language: str, task: str, predict_timestamps: bool) -> None:
        known = {"en": ENGLISH, "cy": WELSH}
        if language not in known:
            raise ValueError(f"Unsupported language: {language}")
        self.prefix_tokens = (START, known[language], TRANSCRIBE, NO_TIMES)  # type: ignore[assignment]


def multilingual() -> GenerationConfig:
    return GenerationConfig(
        is_multilingual=True,
        lang_to_id={"<|en|>": ENGLISH, "<|cy|>": WELSH},
        task_to_id={"transcribe": TRANSCRIBE},
        decoder_start_token_id=START,
        no_timestamps_token_id=NO_TIMES,
        forced_decoder_ids=[[1, ENGLISH]],
    )


def used_by_generate(settings: Any) -> list[int]:
    """The prompt of transformers' own generate(), asked with a network that prefers English."""
    config = WhisperConfig(vocab_size=16, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=1)
    config.decoder_attention_heads, config.pad_token_id, config.eos_token_id = 1, 0, 2
    model = WhisperForConditionalGeneration(config)
    settings.return_timestamps = False
    mel = torch.zeros(1, 80, 3000)
    tokens = model._retrieve_init_tokens(mel, 1, settings, model.config, 3000, {})
    return list(tokens[0].tolist())


@pytest.mark.parametrize(
    ("language", "prompt"),
    [("cy", [START, WELSH, TRANSCRIBE, NO_TIMES]), ("none", [START, NO_TIMES])],
)
def test_trained_and_generated_with_the_same_tokens(language: str, prompt: list[int]) -> None:
    settings = multilingual()
    assert list(set_prompt(Tokenizer(), settings, language, "transcribe")) == prompt
    assert used_by_generate(settings) == prompt


def test_the_saved_folder_remembers(tmp_path: Path) -> None:
    settings = multilingual()
    assert needs_language(settings)
    set_prompt(Tokenizer(), settings, "cy", "transcribe")
    settings.save_pretrained(tmp_path)
    assert saved_language(GenerationConfig.from_pretrained(tmp_path)) == ("cy", "transcribe")
    set_prompt(Tokenizer(), settings, "none", "transcribe")
    settings.save_pretrained(tmp_path)
    again = GenerationConfig.from_pretrained(tmp_path)
    assert not needs_language(again)
    assert used_by_generate(again) == [START, NO_TIMES]


def test_a_language_without_a_token_is_told() -> None:
    with pytest.raises(CheckpointError, match="borrow"):
        set_prompt(Tokenizer(), multilingual(), "xx", "transcribe")


def test_a_language_that_nobody_told_is_asked_for() -> None:
    with pytest.raises(CheckpointError, match="`language: de` in the recipe"):
        set_prompt(Tokenizer(), multilingual(), None, "transcribe")


def test_english_only_checkpoints_keep_their_prompt() -> None:
    settings = SimpleNamespace(is_multilingual=False, forced_decoder_ids=[[1, 2]])
    assert set_prompt(Tokenizer(), settings, "es", "transcribe") == (START, NO_TIMES)
    assert settings.forced_decoder_ids is None
