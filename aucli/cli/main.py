"""The `aucli` command. Here every error becomes one line and an exit code; nowhere else.

Nothing heavy is imported here or at the top of a command's file, so that help is instant: a command
imports what it needs when it runs. A new command is one file with one function, named here;
those of a group, such as `models`, are named in its `app.py`.

Exit codes: 0 all went well, 1 a bug or an output that cannot be written, 2 wrong use, 3 some inputs
failed or are partial, 4 nothing usable, 130 and 143 interrupted.
"""

from __future__ import annotations

import io
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from aucli import __version__
from aucli.cli.annotate import annotate
from aucli.cli.calibrate import calibrate
from aucli.cli.demo import demo
from aucli.cli.doctor import doctor
from aucli.cli.evaluate import evaluate
from aucli.cli.events import events
from aucli.cli.export import export
from aucli.cli.extract import extract
from aucli.cli.leave import leave_at_once
from aucli.cli.merge import merge
from aucli.cli.models.app import models
from aucli.cli.names import one_line
from aucli.cli.prepare import prepare
from aucli.cli.report import report
from aucli.cli.summarise import summarise
from aucli.cli.train import train
from aucli.cli.view import view
from aucli.errors import AucliError
from aucli.logs import set_up_logging

_LOG = logging.getLogger(__name__)
_BEGINS_ANEW = {"calibrate", "doctor", "evaluate", "events", "export", "merge", "report", "summary", "view"}
"""Commands that do not go on where they were interrupted."""


class _OneLineErrors(TyperGroup):
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


app = typer.Typer(
    cls=_OneLineErrors,
    help="Facial action units from video: one row per frame and face, in one Parquet file.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
_COMMANDS: dict[str, Callable[..., None]] = {
    "extract": extract,
    "merge": merge,
    "annotate": annotate,
    "view": view,
    "events": events,
    "summary": summarise,
    "report": report,
    "export": export,
    "prepare": prepare,
    "train": train,
    "evaluate": evaluate,
    "calibrate": calibrate,
    "doctor": doctor,
    "demo": demo,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(models, name="models")


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
        if left.code in (130, 143):
            leave_at_once(int(left.code))
        raise


if __name__ == "__main__":
    main()
