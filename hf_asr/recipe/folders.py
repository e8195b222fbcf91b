"""What lies in a folder of the user's."""

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[Path]:
    """Every file in it and below, in folders that are links, too.

    Each folder once, under its own name where it has one below `folder`, so that a link beside it changes nothing and
    a circle of links ends.
    """
    met: set[str] = set()
    starts = [folder]
    for start in starts:  # which grows: links wait until all that is really there has been met
        for here, folders, files in os.walk(start):
            real = os.path.realpath(here)
            if real in met:
                folders.clear()
                continue
            met.add(real)
            folders.sort()
            starts += [Path(here) / name for name in folders if (Path(here) / name).is_symlink()]
            yield from (Path(here) / name for name in files)
