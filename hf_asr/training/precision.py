"""Which number format training computes in."""

import torch

from hf_asr import recipe
from hf_asr.models.recogniser import Family


def computes_in_bf16(device: torch.device) -> bool:
    """Whether products in bfloat16 are faster there than in float32.

    On a CPU by AVX-512 BF16 or AMX; without them torch emulates: a training step was several times slower (AMD Zen 3).
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    can = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def precision(training: recipe.Training, family: Family) -> str:
    """What `auto` means here: bf16 where the GPU computes in it, or, for CTC without a GPU, the CPU.

    Whisper was not measured in bf16 on a CPU.
    """
    if training.precision != "auto":
        return training.precision
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    asked = device.type == "cuda" or family == "ctc"
    return "bf16" if asked and computes_in_bf16(device) else "float32"
