"""What a person sees while waiting: lines and bars, from the first process only."""

import os
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

console = Console(stderr=True, highlight=False)
FIRST = os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    if FIRST:
        console.print(text, soft_wrap=True)


class Bar:
    """A progress bar with a few facts at its end; on a terminal only, so that logs stay readable."""

    def __init__(self, label: str, total: int | None) -> None:
        columns: list[Any] = [TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        columns += [TimeRemainingColumn(), TextColumn("{task.fields[facts]}")]
        self.progress = Progress(*columns, console=console, disable=not (FIRST and console.is_terminal))
        self.task = self.progress.add_task(label, total=total, facts="")
        self.facts: dict[str, str] = {}

    def start(self, done: int = 0) -> None:
        self.progress.start()
        self.tell(done)

    def tell(self, done: int, facts: dict[str, str] | None = None) -> None:
        self.facts.update(facts or {})
        self.progress.update(self.task, completed=done, facts=" ".join(self.facts.values()))

    def stop(self) -> None:
        self.progress.stop()
