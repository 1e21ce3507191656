"""The progress bar of long runs, on standard error; where that is no terminal, a line for each tenth."""

from __future__ import annotations

from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from opsfloor.answers import err

LINES: Final = 10  # of a whole run, where nobody can be shown a bar


def bar(what: str) -> Progress:
    """A bar that tells how many of how many, and how long still."""
    return _Told(what)


class _Told(Progress):
    def __init__(self, what: str) -> None:
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(*columns, console=err, transient=True)
        self._what: Final = what

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """So many more are done."""
        task = next(task for task in self.tasks if task.id == task_id)
        before = task.completed
        super().advance(task_id, advance)
        total = task.total
        if total and not self.console.is_terminal and int(LINES * before / total) < int(LINES * task.completed / total):
            self.console.print(f"{self._what}: {task.completed:.0f} of {total:.0f}")
