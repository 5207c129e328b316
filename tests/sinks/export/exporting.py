"""An export from start to end, as the command does it."""

from aucli.sinks.export.plan import plan_export
from aucli.sinks.export.run import run_export


def export(source, format_name, output=None, **options):
    """The files written; `options` are those of `plan_export`."""
    return export_with_note(source, format_name, output, **options)[0]


def export_with_note(source, format_name, output=None, **options):
    """The files written, and the text of the note in one line."""
    plan = plan_export(source, format_name, output, **options)
    files = list(run_export(plan, version="0.1.0"))
    return files, " ".join(plan.note.read_text().split())


def files_below(folder):
    """Of an export, without the notes."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".note.txt")
    )
