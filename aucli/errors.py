"""Every error that aucli raises on purpose.

Each is an :class:`AucliError` and also the built-in that fits, so that callers may catch either.
A message says what was given, why it is refused and what to type instead. The command line shows
it as one line and leaves with ``exit_code``.
"""

from __future__ import annotations


class AucliError(Exception):
    """Base of all errors raised on purpose."""

    exit_code: int = 1


class UsageError(AucliError, ValueError):
    """The command or call itself is wrong; nothing was run."""

    exit_code = 2


class InputNotFoundError(UsageError, FileNotFoundError):
    """An input path does not exist."""


class UnknownModelError(UsageError, LookupError):
    """No card has this name and no file this path."""


class DeviceError(UsageError, RuntimeError):
    """The device asked for is not there."""


class MissingDependencyError(UsageError, ImportError):
    """An optional package, or a system library that it needs, is missing."""


class CheckpointError(UsageError, ValueError):
    """A weights file does not fit its card, is damaged, or wants to run code."""


class OutOfMemoryError(AucliError, MemoryError):
    """Not even one face fits into the memory that is free."""


class OutputError(AucliError, OSError):
    """The output cannot be written or is in use by another run."""


class DownloadError(AucliError, OSError):
    """A model's file could not be fetched, or is not what it should be."""


class MediaError(AucliError, OSError):
    """One input cannot be decoded; recorded in the report, never stops a batch."""


class SplitError(AucliError, RuntimeError):
    """A video cannot be done in segments, or these do not fit together, with the reason: it is done whole."""


class DecoderUnavailableError(UsageError, RuntimeError):
    """The decoder asked for cannot work here or not on this file."""


class ShapeError(AucliError, ValueError):
    """An array does not have the shape or dtype that its data class promises."""


class WorkerError(AucliError, RuntimeError):
    """A worker process cannot be started; nothing can be computed."""


class TrainingError(AucliError, ArithmeticError):
    """A loss or gradient is NaN or infinite; the batch is named, and nothing of it was saved."""
