"""`--decoder auto` on a GPU: its own decoder where that can do the file, else the CPU's, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from aucli.datatypes import DecodeSummary, Frame
from aucli.errors import DecoderUnavailableError, MediaError
from aucli.media.decode.protocol import Decoder
from aucli.media.decode.refused import in_short


class AutomaticDecoder(Decoder):
    """See `aucli.media.decode.protocol.Decoder`. Tries backends in order until one goes through the file.

    A backend may give up anywhere: the next one starts at the beginning, and frames that were given before
    are not given again, since all backends number them alike. What is damaged or cut off always goes to the
    last backend, the CPU's: it tells damage, hides it as it always does, and reads on as far as possible.

    backends: in order, each opens the file; the last one is for what the others cannot do.

    Raises:
        MediaError: the file cannot be opened as a video.
    """

    def __init__(self, path: Path, backends: Sequence[Callable[[], Decoder]]) -> None:
        self._path = path
        self._backends = list(backends)
        self._reasons: list[str] = []
        self._decoder = self._next()

    @property
    def name(self) -> str:
        return self._decoder.name

    @property
    def summary(self) -> DecodeSummary:
        summary = self._decoder.summary
        if self._backends:
            return summary  # why a GPU decoder before this one was not taken is of no interest
        return replace(summary, notes=(f"decoded on the CPU: {'; '.join(self._reasons)}", *summary.notes))

    def frames(self) -> Iterator[Frame]:
        given = -1
        while True:
            try:
                for frame in self._decoder.frames():
                    if self._backends and self._decoder.summary.problem:
                        break
                    if frame.index > given:
                        given = frame.index
                        yield frame
            except (DecoderUnavailableError, MediaError) as error:
                if not self._backends:
                    raise
                reason = in_short(self._path, error)
            else:
                problem = self._decoder.summary.problem
                if not (self._backends and problem):
                    return
                reason = f"{self.name} met damage: {problem}"
            self._give_up(reason)

    def close(self) -> None:
        self._decoder.close()

    def _give_up(self, reason: str) -> None:
        """Go on with the CPU: another way to use the same hardware would meet the same damage."""
        self._reasons.append(reason)
        self._decoder.close()
        del self._backends[:-1]
        self._decoder = self._next()

    def _next(self) -> Decoder:
        while True:
            make = self._backends.pop(0)
            try:
                return make()
            except DecoderUnavailableError as error:
                if not self._backends:
                    raise
                self._reasons.append(in_short(self._path, error))
