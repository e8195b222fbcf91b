"""Whisper's prompt: the tokens it is given before it writes (start, language, task, no timestamps).

What is trained, what `generate()` uses and what a plain pipeline() on the saved folder uses must be the
same tokens; the generation config that is saved with the weights is where they meet.
"""

from typing import Any

from hf_asr.models.recogniser import CheckpointError

NO_TOKEN = "none"  # whisper.language for languages that have no token of their own
WHICH = (
    "this Whisper knows many languages: say which is spoken, by `language: de` in the recipe or --language de with"
    " --data; for one it has no token for, whisper.language: none"
)


def set_prompt(tokenizer: Any, settings: Any, language: str | None, task: str) -> tuple[int, ...]:
    """Write language and task into the generation config `settings`; returns the prompt's token ids.

    English-only checkpoints have neither. Raises CheckpointError for a language without a token, and when none is
    told: without its token, the reading before training is worse than anybody would have it.
    """
    # old checkpoints carry these, and they would win over language and task
    settings.forced_decoder_ids = None
    if not getattr(settings, "is_multilingual", False):
        return tuple(tokenizer.prefix_tokens)
    if language is None:
        raise CheckpointError(WHICH)
    if language == NO_TOKEN:
        settings.is_multilingual, settings.language, settings.task = False, None, None
        # generate() guesses a language for each clip as long as it knows what languages there are
        if hasattr(settings, "lang_to_id"):
            del settings.lang_to_id
        return settings.decoder_start_token_id, settings.no_timestamps_token_id
    try:
        tokenizer.set_prefix_tokens(language=language, task=task, predict_timestamps=False)
        prompt = tuple(tokenizer.prefix_tokens)
    except ValueError as error:
        raise CheckpointError(
            f"whisper.language: Whisper has no token for {language!r}: borrow that of a related language, or say none"
        ) from error
    settings.language, settings.task = language, task
    return prompt


def saved_language(settings: Any) -> tuple[str, str] | None:
    """Language and task that a fine-tuned folder was saved with; None when it leaves them open."""
    language = getattr(settings, "language", None)
    return None if language is None else (language, getattr(settings, "task", None) or "transcribe")


def needs_language(settings: Any) -> bool:
    """Whether it would guess the language clip by clip: multilingual, and told nothing."""
    return bool(getattr(settings, "is_multilingual", False)) and saved_language(settings) is None
