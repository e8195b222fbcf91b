"""Which attention trains fastest."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LONGEST = 12.0  # seconds of a clip, 600 frames of wav2vec2: what is gained shrinks, memory grows by the square


@contextmanager
def quick_attention(network: Any, bf16: bool, longest: float) -> Iterator[None]:
    """While the block runs, plain matrix products in place of torch's fused attention, for bfloat16 on a CPU.

    There the fused kernel's backward pass is slow: forward and backward of 12 clips of 70 frames took 17.2 ms and
    plain products 3.1 ms, 100 and 31 for 12 of 125 frames in 12 heads, 179 and 101 for 3 of 500 (AMD EPYC, one
    thread). `./scripts/bench cpu_step` times whole steps. `longest`: seconds of the longest clip; where it is beyond
    LONGEST nothing is changed, nor for Whisper, whose windows are 30 s now and then. Afterwards the network has
    the attention it came with.
    """
    given = getattr(network.config, "_attn_implementation", None)
    whisper = network.config.model_type == "whisper"
    if not bf16 or given != "sdpa" or network.device.type != "cpu" or longest > LONGEST or whisper:
        yield
        return
    network.set_attn_implementation("eager")
    try:
        yield
    finally:
        network.set_attn_implementation(given)
