"""Extractions in the formats of other tools: one protocol, one file per format, chosen by name.

To add a format, for instance `fast`:

1. Write `fast.py` beside this file with a class that has the members of `protocol.Exporter`. Its docstring
   says which reader it is made for, units and signs, and what cannot be filled. Work on whole columns
   (`lines.join`, `table.write_table`): an hour of video is 100,000 rows.
2. A column that cannot be filled is there, empty, and named in `contents`; nothing is made up.
3. Add its name to `ExportFormat`, to the command's `FORMATS`, and a branch to `make_exporter`.
4. Test it with its own reader, or with one that is not ours, in tests/sinks/export.
"""

from __future__ import annotations

from typing import Literal, get_args

from aucli.errors import UsageError
from aucli.sinks.export.media import MediaPlaces
from aucli.sinks.export.protocol import Exporter

__all__ = ["ExportFormat", "Exporter", "make_exporter"]

ExportFormat = Literal["openface", "pyfeat", "libreface", "csv", "json", "elan", "annotator-table"]


def make_exporter(name: str, *, media: MediaPlaces) -> Exporter:
    """The exporter of this name.

    media: where the videos lie, for formats that link to them.

    Raises:
        UsageError: no format has this name.
    """
    exporter: Exporter
    if name == "openface":
        from aucli.sinks.export.openface import OpenFaceExporter

        exporter = OpenFaceExporter()
    elif name == "pyfeat":
        from aucli.sinks.export.pyfeat import PyFeatExporter

        exporter = PyFeatExporter()
    elif name == "libreface":
        from aucli.sinks.export.libreface import LibreFaceExporter

        exporter = LibreFaceExporter()
    elif name == "csv":
        from aucli.sinks.export.csv import CsvExporter

        exporter = CsvExporter()
    elif name == "json":
        from aucli.sinks.export.json import JsonExporter

        exporter = JsonExporter()
    elif name == "elan":
        from aucli.sinks.export.elan import ElanExporter

        exporter = ElanExporter(media)
    elif name == "annotator-table":
        from aucli.sinks.export.annotator_table import AnnotatorTableExporter

        exporter = AnnotatorTableExporter()
    else:
        raise UsageError(f"--format {name}: choose one of {', '.join(get_args(ExportFormat))}")
    return exporter
