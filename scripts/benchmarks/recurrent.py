"""Recurrent layers on one core, forwards and backwards: packed sequences against dense batches, CPU seconds.

    ./scripts/bench recurrent

Why DeepSpeech2's layers are dense (docs/deepspeech2.md). Clips of a batch are half as long as the longest to as long.
"""

import time

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

CASES = (("GRU", nn.GRU, 320, 20, 100), ("GRU", nn.GRU, 512, 8, 300), ("LSTM", nn.LSTM, 512, 8, 300))


def main() -> None:
    torch.set_num_threads(1)
    print("| layer, batch | packed | dense |\n|---|---|---|")
    for name, kind, size, clips, frames in CASES:
        layer = kind(size, size, batch_first=True, bidirectional=True)
        hidden, lengths = torch.randn(clips, frames, size), torch.linspace(frames // 2, frames, clips).long()

        def packed(layer: nn.Module = layer, hidden: torch.Tensor = hidden, lengths: torch.Tensor = lengths) -> None:
            given = pack_padded_sequence(hidden, lengths, batch_first=True, enforce_sorted=False)
            pad_packed_sequence(layer(given)[0], batch_first=True)[0].sum().backward()

        def dense(layer: nn.Module = layer, hidden: torch.Tensor = hidden) -> None:
            layer(hidden)[0].sum().backward()

        taken = [best_of(step) for step in (packed, dense)]
        label = f"{name} both ways, {size}, {clips} clips x {frames} frames"
        print(f"| {label} | {taken[0]:.2f} | {taken[1]:.2f} |", flush=True)


def best_of(step, times: int = 3) -> float:
    found = []
    for _ in range(times + 1):  # the first warms up
        began = time.process_time()
        step()
        found.append(time.process_time() - began)
    return min(found[1:])


if __name__ == "__main__":
    main()
