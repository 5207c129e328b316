"""The table of `--profile`: what each stage of each worker did with its time."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from aucli.inference.profile import StageRow


def show_profile(rows: Sequence[StageRow], trace: str, console: Console) -> None:
    """One line per worker and stage, and where the trace lies."""
    if not rows:
        console.print(f"Nothing was timed: all was finished before. Empty trace: {trace}", markup=False)
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in ("worker", "stage"):
        table.add_column(name, no_wrap=True)
    for name in ("busy s", "waiting s", "busy"):
        table.add_column(name, justify="right", no_wrap=True)
    for place, row in enumerate(rows):
        is_first = place == 0 or rows[place - 1].worker != row.worker
        if is_first and place:
            table.add_section()
        table.add_row(
            f"{row.worker} {row.device}" if is_first else "",
            row.stage,
            f"{row.busy_seconds:,.2f}",
            f"{row.waiting_seconds:,.2f}",
            f"{row.share_busy:.0%}",
        )
    console.print(table)
    console.print(f"Trace: {trace} (open it at https://ui.perfetto.dev)", markup=False, soft_wrap=True)
