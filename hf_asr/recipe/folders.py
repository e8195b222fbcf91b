"""What lies in a folder of the user's."""

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[Path]:
    """Every file in it and below, in folders that are links, too; each folder once, so that a circle of links ends."""
    met = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in met:
            folders.clear()
            continue
        met.add(real)
        folders.sort()
        yield from (Path(here) / name for name in files)
