"""The recordings: where they come from, how they are divided, which may serve."""

from typing import Literal

from pydantic import model_validator

from hf_asr.recipe.fields import Number, Section, Switch, Whole, line


class Source(Section):
    """Where recordings and transcripts come from."""

    path: str = line(
        ..., "a folder, a table (.csv .tsv .jsonl .parquet), a Hub dataset id, `embedded:prompts-en`, or an earlier run"
    )
    format: Literal["auto", "audiofolder", "ljspeech", "table", "common_voice", "hub", "run"] = line(
        "auto", "how to read it; `auto` looks at what lies there"
    )
    config: str | None = line(None, "configuration of a Hub dataset; `{language}` stands for the recipe's language")
    split: str | None = line(
        None,
        "split of a Hub dataset, side of a run, the TSV of a Common Voice folder (`train`, `dev`, ...), a folder of"
        " recordings in it, or the rows of a table whose column `split` says so",
    )
    revision: str | None = line(None, "branch, tag or commit of a Hub dataset (`refs/convert/parquet` for old ones)")
    streaming: Switch = line(False, "read a Hub dataset as a stream and keep only what `hours` allows on disk")
    hours: Number | None = line(None, "take at most this many hours, from the beginning", gt=0)
    use: Literal["split", "train", "validation", "test"] = line(
        "split", "which side its clips go to; `split` divides them as data.splits says"
    )
    weight: Number = line(1.0, "how many times an epoch sees each of its training clips (0.5: every other one)", gt=0)
    audio_column: str | None = line(
        None, "column with the audio or its file name (audio, file_name, path, audio_filepath, audio_path, wav, file)"
    )
    text_column: str | None = line(
        None,
        "column with the transcript"
        " (text, sentence, transcription, transcript, normalized_text, raw_text, raw_transcription)",
    )
    speaker_column: str | None = line(None, "column that names the speaker (speaker, speaker_id, client_id)")
    group_column: str | None = line(None, "column whose values must not be on two sides, e.g. chapter or session")
    attribution: str | None = line(None, "whose recordings these are, and on what terms; for the card")


class Splits(Section):
    """How clips are divided; the same recipe and data always give the same division."""

    by: Literal["auto", "group", "speaker", "transcript", "clip"] = line(
        "auto", "what must not be on two sides; `auto`: group, else speaker, when there are enough, else transcript"
    )
    validation: Number = line(0.1, "share of the audio (below 1) or seconds (1 and above)", ge=0)
    test: Number = line(0.1, "share of the audio (below 1) or seconds (1 and above)", ge=0)
    seed: Whole = line(0, "another seed, another division")

    @model_validator(mode="after")
    def _something_left(self) -> "Splits":
        taken = sum(size for size in (self.validation, self.test) if size < 1)
        if taken >= 1:
            raise ValueError(f"validation and test take {taken:g} of the audio and leave nothing to train on")
        return self


class Data(Section):
    """The recordings, the transcripts and which clips may serve."""

    sources: tuple[Source, ...] = line(..., "one or more places to read from", min_length=1)
    splits: Splits = line(Splits(), "train, validation and test")
    min_seconds: Number = line(0.1, "shorter clips are left out and listed", ge=0)
    max_seconds: Number = line(30.0, "longer clips are left out and listed", gt=0, le=3600)

    @model_validator(mode="after")
    def _order(self) -> "Data":
        if self.min_seconds >= self.max_seconds:
            raise ValueError(f"min_seconds ({self.min_seconds:g}) must be below max_seconds ({self.max_seconds:g})")
        return self
