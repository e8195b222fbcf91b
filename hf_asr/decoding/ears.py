"""What a CTC network hears while the sound arrives: logits frame by frame, each as soon as it is known.

Most networks hear a whole recording at once. Here they hear the newest piece with some seconds before it and a moment
after it, and only the frames in the middle are kept: each frame is heard once with all of its context, and the moment
at the end, heard too early, is shown and heard again. A network that was made for streams keeps its own state.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hf_asr.decoding.ctc import frame_logits
from hf_asr.models.recogniser import Recogniser, frame_counter

RATE = 16_000
MOST_SECONDS = 20.0  # heard at once, however much is pushed: attention costs the square


@dataclass(frozen=True)
class Context:
    """Seconds that are heard with a piece of sound, before it and after it."""

    left: float = 4.0
    right: float = 0.6


class Ear(Protocol):
    """Sound in, logits out [frames, units], every frame once.

    `ahead` holds those of frames still to come, as far as they are heard without what follows them.
    """

    @property
    def ahead(self) -> Tensor: ...

    def push(self, samples: np.ndarray) -> Tensor: ...

    def finish(self) -> Tensor: ...


class Own:
    """A network that hears a stream by itself, and then what it hears offline: nothing is ahead."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.stream = recogniser.model.stream(recogniser.processor.feature_extractor)
        self.ahead = torch.zeros(0, int(recogniser.model.config.vocab_size))

    def push(self, samples: np.ndarray) -> Tensor:
        found: Tensor = self.stream.push(samples)
        return found.cpu()

    def finish(self) -> Tensor:
        found: Tensor = self.stream.finish()
        return found.cpu()


class Windows:
    """Any CTC network as an Ear. Windows begin at frames of the recording, so that none is lost or heard twice."""

    def __init__(self, recogniser: Recogniser, context: Context) -> None:
        frames = frame_counter(recogniser)
        assert frames is not None
        self.recogniser, self.frames, self.stride = recogniser, frames, frame_stride(recogniser)
        self.left, self.right = (round(seconds * RATE / self.stride) for seconds in (context.left, context.right))
        self.kept = np.zeros(0, np.float32)  # the window
        self.before = 0  # frames at its beginning that are known already
        self.nothing = torch.zeros(0, int(recogniser.model.config.vocab_size))
        self.ahead = self.nothing

    def push(self, samples: np.ndarray) -> Tensor:
        """What the network hears in the new frames that have their right context now."""
        most = round(MOST_SECONDS * RATE)
        pieces = [self._hear(samples[start : start + most], self.right) for start in range(0, len(samples), most)]
        return torch.cat([self.nothing, *pieces])

    def finish(self) -> Tensor:
        """The last frames, with nothing after them."""
        return self._hear(np.zeros(0, np.float32), 0)

    def _hear(self, samples: np.ndarray, right: int) -> Tensor:
        self.kept = np.concatenate([self.kept, samples])
        count = max(self.frames(len(self.kept)), 0)
        if count <= self.before:
            return self.nothing
        (logits,) = frame_logits(self.recogniser, [self.kept])
        known = max(count - right, self.before)
        new, self.ahead = logits[self.before : known].cpu(), logits[known:].cpu()
        gone = max(known - self.left, 0)
        self.kept, self.before = self.kept[gone * self.stride :], known - gone
        return new


def frame_stride(recogniser: Recogniser) -> int:
    """Samples from one logit frame to the next."""
    frames = frame_counter(recogniser)
    assert frames is not None
    first, second = (bisect_left(range(1 << 20), count, key=frames) for count in (100, 101))
    return second - first


def ear(recogniser: Recogniser, context: Context) -> Ear:
    """The network's own way to hear a stream where it has one, else windows."""
    own = hasattr(recogniser.model, "stream") and getattr(recogniser.model.config, "streaming", False)
    return Own(recogniser) if own else Windows(recogniser, context)
