"""A bar in the terminal for the long computations here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(title: str, *, console: Console | None = None) -> Iterator[Callable[[int, int], None]]:
    """Show how far a long computation is, where there is a terminal.

    Parameters
    ----------
    title : str
        Shown as it is, without markup.
    console : rich.console.Console, optional
        Where to draw; default standard error, so that results can be piped.

    Yields
    ------
    callable
        To be given as ``progress=`` to whatever takes one.

    Examples
    --------
    >>> import pandas as pd
    >>> from servicediag.psychometrics import cronbach_alpha, progress_bar
    >>> alpha = cronbach_alpha(pd.DataFrame({"q1": [1, 2, 4, 5, 3, 2], "q2": [2, 2, 4, 5, 2, 1]}))
    >>> with progress_bar("bootstrap of alpha") as progress:
    ...     interval = alpha.confidence_interval(method="bca", progress=progress)
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    target = console if console is not None else Console(stderr=True, markup=False)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=target, transient=True, disable=not target.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield tell
