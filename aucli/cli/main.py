"""The `aucli` command. Here every error becomes one line and an exit code; nowhere else.

Nothing heavy is imported here or at the top of a command's file, so that help is instant: a command
imports what it needs when it runs. A new command is one file with one function, named here with the first
line of its help; those of a group, such as `models`, are named in its `app.py`.

Exit codes: 0 all went well, 1 a bug or an output that cannot be written, 2 wrong use, 3 some inputs
failed or are partial, 4 nothing usable, 130 and 143 interrupted.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import typer
from typer.exceptions import TyperException

from aucli import __version__
from aucli.cli.lazy import LazyGroup
from aucli.cli.leave import leave_at_once
from aucli.cli.names import one_line
from aucli.errors import AucliError
from aucli.logs import set_up_logging

_LOG = logging.getLogger(__name__)
_BEGINS_ANEW = {"calibrate", "doctor", "evaluate", "events", "export", "merge", "report", "summary", "view"}
"""Commands that do not go on where they were interrupted."""

_COMMANDS = {
    "extract": "Action units of every face in every frame, as one Parquet file.",
    "merge": "The outputs of all shards as one, with the rows of a run on one machine.",
    "annotate": "Videos with boxes, action units and a time line drawn on them; sound and times "
    "stay as they are.",
    "view": "A page on this machine: the videos with their faces, and the course of every action unit.",
    "events": "Onset, apex, offset, duration and peak of each AU, for each person in each video.",
    "summary": "How much of the time each AU is on, how often, how strong, and which AUs go together.",
    "report": "One web page about a run: videos, people, AUs over time, methods paragraph and citations.",
    "export": "Results in the files that OpenFace, py-feat, LibreFace, ELAN, tables and coders work with.",
    "prepare": "Aligned 256-pixel crops and one label table from a dataset's videos or frames.",
    "train": "Train a network for AUs: ME-GraphAU or OpenGraphAU in their two stages, MDHR or SCC in one.",
    "evaluate": "F1, AUC and more per AU on labelled faces, by the published protocols, with "
    "intervals by subject.",
    "calibrate": "Fit each AU's threshold and probability to validation subjects, as a new card "
    "for extract --model.",
    "doctor": "Try each part of the installation, and say what to do where one does not work.",
    "demo": "Run extract on the two example clips in the package; writes demo/out.parquet.",
    "models": "Which models there are; install, check and choose them.",
}
"""Name -> first line of its help."""
_ELSEWHERE = {"models": "models.app:models", "summary": "summarise:summarise"}
"""Commands that are not the function of their name in the file of their name."""


class _OneLineErrors(LazyGroup):
    """Runs a command and leaves with its exit code, whatever it raises."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **named: Any) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        if "--debug" in words[: words.index("--") if "--" in words else None]:
            words.remove("--debug")
            words.insert(0, "--debug")  # it belongs to no command, so it may stand anywhere
        named |= {"standalone_mode": False, "prog_name": "aucli", "obj": words}
        sys.exit(self._exit_code(words, *others, **named))

    def _exit_code(self, *arguments: Any, **named: Any) -> int:
        try:
            code = int(super().main(*arguments, **named) or 0)
        except AucliError as error:
            return _say(str(error), error.exit_code, error)
        except TyperException as error:  # the command line could not be read
            context = getattr(error, "ctx", None)
            command = context.command_path if context is not None else "aucli"
            message = f"{error.format_message().rstrip('.')}; see {command} --help"
            return _say(message, error.exit_code, error)
        except SystemExit as error:
            if error.code != 143:
                raise
            code = 143  # SIGTERM, where a command has something to clean up
        except Exception as error:  # the last resort: whatever else arrives here is our mistake
            what = f"{type(error).__name__}: {error}"
            return _say(
                f"this is a bug in aucli: {what} (the same command with --debug shows where)", 1, error
            )
        if code in (130, 143):  # 130: what Typer has made of a KeyboardInterrupt
            command = next((word for word in named["obj"] if not word.startswith("-")), "")
            after = "" if command in _BEGINS_ANEW else "; the same command goes on where it stopped"
            print(f"aucli: interrupted{after}", file=sys.stderr)
        return code


def _say(message: str, exit_code: int, error: BaseException) -> int:
    if _LOG.isEnabledFor(logging.DEBUG):
        traceback.print_exception(error)
    print("aucli:", one_line(message.replace("\n", " ")), file=sys.stderr)
    return exit_code


class _Aucli(_OneLineErrors):
    places: ClassVar = {
        name: (f"aucli.cli.{_ELSEWHERE.get(name, f'{name}:{name}')}", line)
        for name, line in _COMMANDS.items()
    }


app = typer.Typer(
    cls=_Aucli,
    help="Facial action units from video: one row per frame and face, in one Parquet file.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"aucli {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _before_any_command(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Log everything; show where an error arose.", envvar="AUCLI_DEBUG")
    ] = False,
) -> None:
    set_up_logging("debug" if debug else None)
    if context.invoked_subcommand is None:
        print(context.get_help(), end="")
        raise typer.Exit(2)


def main() -> None:
    """The entry point of the console script."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name may hold what the terminal's encoding cannot show; that must not end a run.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except SystemExit as left:
        # One of several ranks has nothing to clear up either: their group is ended by now, and gloo's threads
        # sometimes abort a process that ends in the usual way, after all is well.
        if left.code in (130, 143) or os.environ.get("WORLD_SIZE", "1") != "1":
            leave_at_once(left.code if isinstance(left.code, int) else int(left.code is not None))
        raise


if __name__ == "__main__":
    main()
