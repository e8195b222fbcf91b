"""The recipe: everything a run can be told, on one page.

Each field carries the line that `docs/recipes.md` and the editor's JSON schema show. No torch is
imported here, so a wrong recipe is told at once. How a recipe file is found and read: hf_asr.recipe.file.
"""

from typing import Any, Literal

from pydantic import model_validator

from hf_asr.errors import UserError
from hf_asr.recipe.augment import Augment
from hf_asr.recipe.data import Data as Data
from hf_asr.recipe.data import Source as Source
from hf_asr.recipe.data import Splits as Splits
from hf_asr.recipe.decoding import Decoding as Decoding
from hf_asr.recipe.decoding import LanguageModel as LanguageModel
from hf_asr.recipe.fields import Number, Section, Share, Switch, Whole, line


class Text(Section):
    """Steps from the transcript as written to the text used, in this order, after Unicode NFC."""

    numerals: Literal["keep", "spell"] = line("keep", "`spell` writes numbers as words (extra `numerals`)")
    case: Literal["keep", "lower", "upper"] = line("keep", "letter case")
    punctuation: Literal["keep", "strip"] = line("keep", "`strip` removes punctuation and symbols")
    keep: str = line(
        "'", "characters that `strip` leaves between letters, e.g. apostrophe, hyphen; ʼ and ʻ are letters and stay"
    )


class Units(Section):
    """What a new CTC head predicts; learned from the training transcripts only."""

    kind: Literal["character", "subword", "phoneme"] = line("character", "one letter, a piece of a word, or a sound")
    size: Whole = line(256, "number of subwords, letters included", ge=8)
    algorithm: Literal["unigram", "bpe"] = line("unigram", "how subwords are found")
    lexicon: str | None = line(
        None, "phonemes: file with a word and its phonemes a line, e.g. CMUdict; default espeak-ng (extra `phonemes`)"
    )

    @model_validator(mode="after")
    def _of_phonemes(self) -> "Units":
        if self.lexicon is not None and self.kind != "phoneme":
            raise ValueError("lexicon goes with `kind: phoneme`: set it, or leave the lexicon out")
        return self


class Lora(Section):
    """Train small matrices beside the frozen weights (arXiv:2106.09685); merged when saved."""

    rank: Whole = line(16, "inner size of the added matrices", ge=1)
    alpha: Number = line(32, "their scale is alpha / rank", gt=0)
    dropout: Share = line(0.05, "dropout before them")
    targets: tuple[str, ...] = line(("q_proj", "v_proj"), "names of the layers that get them")


class Model(Section):
    """The checkpoint to start from."""

    checkpoint: str | None = line(
        None, "Hub id or folder of a CTC model (wav2vec2, hubert, ...) or Whisper, or `embedded:micro`"
    )
    revision: str | None = line(None, "branch, tag or commit of the checkpoint")
    from_scratch: dict[str, Any] | None = line(
        None, "a configuration to start from random weights, e.g. {model_type: deepspeech2, size: base}"
    )
    config: dict[str, Any] = line({}, "values that replace the checkpoint's own, e.g. mask_time_prob: 0.05")
    freeze: tuple[Literal["feature_encoder", "encoder", "decoder", "all_but_norms"], ...] = line(
        (), "parts that are not trained; `all_but_norms` leaves a scale and a shift a feature: little data"
    )
    lora: Lora | None = line(None, "train with LoRA")
    trust_remote_code: Switch = line(False, "run Python code that a Hub repository brings: only if you have read it")

    @model_validator(mode="after")
    def _has_a_start(self) -> "Model":
        if self.checkpoint is None and self.from_scratch is None:
            raise ValueError("needs `checkpoint` (a Hub id or folder) or `from_scratch` (a configuration)")
        if self.checkpoint is None and "model_type" not in (self.from_scratch or {}):
            raise ValueError("from_scratch needs `model_type`, e.g. wav2vec2")
        if "all_but_norms" in self.freeze and self.lora is not None:
            raise ValueError("freeze: all_but_norms trains the norms, and lora freezes them: set `lora: null`")
        return self


class Whisper(Section):
    """For Whisper checkpoints only."""

    language: str | None = line(
        None, "language token; default the recipe's language, which must then be said; `none` for no token"
    )
    task: Literal["transcribe", "translate"] = line("transcribe", "task token of multilingual checkpoints")
    own_length: Switch = line(True, "train and evaluate at the clip's own length, not padded to 30 s")
    trailing_silence: Number = line(2.0, "seconds of silence kept after a clip at its own length", ge=0)
    full_context_share: Share = line(0.125, "share of training batches padded to 30 s all the same")


class Replay(Section):
    """Old data mixed into training, against forgetting."""

    sources: tuple[Source, ...] = line(..., "where it comes from", min_length=1)
    share: Share = line(0.2, "of the audio of an epoch that is old data")


class Training(Section):
    """Budget, batches and optimiser. The first budget reached ends the training."""

    epochs: Number | None = line(None, "passes over the training clips", gt=0)
    max_steps: Whole | None = line(None, "optimiser steps", ge=1)
    max_minutes: Number | None = line(None, "minutes of training", gt=0)
    batch_seconds: Number = line(120, "seconds of audio in an optimiser step, over all devices and parts", gt=0)
    accumulation: Whole = line(1, "each device takes its share of a step in this many parts", ge=1)
    optimizer: Literal["adamw", "muon"] = line(
        "adamw", "`muon`: matrices by Muon, the rest by AdamW; learns faster from random weights"
    )
    learning_rate: Number = line(1e-4, "peak learning rate", gt=0, lt=1)
    warmup: Number = line(0.1, "share of the budget (below 1) or steps (1 and above) of rising learning rate", ge=0)
    schedule: Literal["linear", "cosine", "constant"] = line("linear", "what follows the warm-up")
    weight_decay: Number = line(0.0, "of the optimiser", ge=0)
    max_grad_norm: Number = line(1.0, "gradients are clipped to this norm", gt=0)
    evaluate_every: Whole | None = line(None, "steps between looks at validation; default once an epoch", ge=1)
    patience: Whole | None = line(None, "stop after this many looks without a better validation WER", ge=1)
    augment: Augment = line(Augment(), "changes to training clips")
    replay: Replay | None = line(None, "old data mixed in, against forgetting")
    precision: Literal["auto", "float32", "bf16", "fp16"] = line(
        "auto", "`auto`: bf16 where the GPU computes in it, for CTC also where an x86 CPU does; else float32"
    )
    activation_checkpointing: Switch = line(False, "less memory, about a third slower")
    compile: Switch = line(False, "torch.compile; pays on a GPU after some minutes")
    workers: Whole | None = line(None, "processes that read audio; default by processor count and device", ge=0)
    report_to: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = line((), "trackers to write to")

    @model_validator(mode="after")
    def _has_an_end(self) -> "Training":
        if self.epochs is None and self.max_steps is None and self.max_minutes is None:
            raise ValueError("needs a budget: epochs, max_steps or max_minutes")
        return self


class Baseline(Section):
    """A network from random weights on the same clips, so that one sees what pretraining brought."""

    from_scratch: Literal["small", "same"] | dict[str, Any] = line(
        "small", "`small`: DeepSpeech2; `same`: the checkpoint's own shape; or a configuration"
    )
    units: Units = line(Units(), "units of its head")
    training: Training | None = line(None, "its own budget and optimiser; default those of the run")

    @model_validator(mode="after")
    def _has_a_type(self) -> "Baseline":
        if isinstance(self.from_scratch, dict) and "model_type" not in self.from_scratch:
            raise ValueError("from_scratch needs `model_type`, e.g. deepspeech2")
        return self


class Guard(Section):
    """Speech the model must not forget: measured before and after training, never trained on."""

    name: str = line(..., "what it is called in tables", pattern=r"^[\w .-]+$")
    source: Source = line(..., "where it comes from; all of its clips are read")


class Hub(Section):
    """Where the finished model goes; `hf-asr push` does the same by hand."""

    to: str | None = line(None, "USER/NAME; nothing is pushed without", pattern=r"^[\w.-]+/[\w.-]+$")
    private: Switch = line(False, "make the repository private")
    every: Whole | None = line(None, "push to a branch after every so many looks at validation, too", ge=1)


class Recipe(Section):
    """From recordings and transcripts to a speech recogniser."""

    name: str = line("", "name of the run; default the recipe's file name", pattern=r"^[\w.-]*$")
    output: str = line("", "the run folder; default runs/NAME")
    language: str | None = line(None, "code of the spoken language, e.g. en, cy, no")
    licence: str | None = line(None, "licence of the fine-tuned model, for its card, e.g. cc-by-sa-3.0")
    seed: Whole = line(0, "seed of everything random", ge=0)
    data: Data = line(..., "recordings and transcripts")
    text: Text = line(Text(), "the text the model learns to write")
    units: Units = line(Units(), "units of a new CTC head")
    model: Model = line(..., "the checkpoint to start from")
    whisper: Whisper = line(Whisper(), "Whisper's own settings")
    training: Training = line(..., "budget, batches and optimiser")
    decoding: Decoding = line(Decoding(), "from logits to text")
    baseline: Baseline | None = line(None, "a network from scratch to compare with")
    guards: tuple[Guard, ...] = line((), "speech that must not be forgotten")
    hub: Hub = line(Hub(), "publishing at the end")
    metric: Text = line(
        Text(case="lower", punctuation="strip"), "normalisation of both sides before WER and CER; printed with them"
    )


class RecipeError(UserError):
    """Everything that is wrong with a recipe, each as (dotted path, what to do)."""

    def __init__(self, where: str, problems: list[tuple[str, str]]) -> None:
        self.where, self.problems = where, problems
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        width = max(len(path) for path, _ in problems)
        super().__init__("\n".join([f"{where} has {count}", *(f"  {p:<{width}}  {text}" for p, text in problems)]))
