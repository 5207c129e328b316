"""The table of --profile."""

import io

from rich.console import Console

from aucli.cli.profile import show_profile
from aucli.inference.profile import StageRow


def test_each_worker_is_named_once_and_each_stage_has_its_figures():
    rows = [
        StageRow(0, "cuda:0", "decode", 12.5, 1.25, 0.5),
        StageRow(0, "cuda:0", "network", 2000.0, 0.0, 0.99),
        StageRow(1, "cuda:1", "decode", 3.0, 4.0, 0.123),
    ]
    out = io.StringIO()
    show_profile(rows, "trace.json", Console(file=out, width=100))
    lines = [line.split() for line in out.getvalue().splitlines() if line.strip()]
    assert ["0", "cuda:0", "decode", "12.50", "1.25", "50%"] in lines
    assert ["network", "2,000.00", "0.00", "99%"] in lines
    assert ["1", "cuda:1", "decode", "3.00", "4.00", "12%"] in lines
    assert lines[-1][:2] == ["Trace:", "trace.json"]


def test_a_run_that_had_nothing_to_do_says_so():
    out = io.StringIO()
    show_profile([], "trace.json", Console(file=out, width=100))
    assert "all was finished before" in out.getvalue()
