"""For real-time voice changers: blend every block of frames with its nearest stored ones, or pass it on unchanged."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Optional, Union

from kith import _convert as convert
from kith import _operations as operations
from kith import _voices
from kith._channel import resolve_target
from kith._voices import Voice
from kith.client import Client
from kith.errors import Cancelled, DeadlineExceeded, InvalidArgument, KithError

__all__ = ["Retriever"]

_FLOAT32_MAX = 3.4028235e38
_RETRY_PAUSE = 1.0  # seconds between two attempts to have an index file imported


def _check_range(name: str, value: Optional[float], least: float, most: float) -> None:
    if value is not None and not least <= value <= most:
        raise InvalidArgument(f"{name} is {value}; it must be {least} to {most:g}", reason="BAD_PARAMETER")


class Retriever:
    """Blends blocks of frames in one round trip each, and never holds up the loop that it is called in::

        retriever = kith.rvc.Retriever("my-voice", budget=0.05)
        feats = retriever.blend(feats, index_rate)

    A block whose answer is not there after `budget` comes back unchanged, and so does one while the server is away; the
    connection is made again by itself. One thread may call `blend` at a time.

    Args:
        voice: an experiment's name, kith://HOST:PORT/NAME, a pointer file of `kith link`, or an index file, which
            stands for the experiment of its checksum and is imported in the background where there is none (see
            `ready`).
        target: the server for a name or an index file; None: KITH_SERVER, else 127.0.0.1:50051.
        budget: seconds for a block, conversion included.
        k, nprobe, k_factor: as for `kith.Client.search`; None: the experiment's own.
        weighting, alpha: as for `kith.Client.expand`.

    Raises:
        FileNotFoundError: `voice` is a path at which there is nothing.
        InvalidArgument: a parameter is out of its range.

    Attributes:
        blocks: how many blend() was given (with an index_rate above 0).
        late: those whose budget was over.
        bypassed: those that came back unchanged, for whatever reason; late ones included.
        last_error: why the last of them did, or None.
        generation: of the last answer; 0 before it.
    """

    def __init__(
        self,
        voice: Union[str, os.PathLike[str]],
        *,
        target: Optional[str] = None,
        budget: float = 0.1,
        k: Optional[int] = None,
        nprobe: Optional[int] = None,
        k_factor: Optional[float] = None,
        weighting: str = "inverse-square",
        alpha: Optional[float] = None,
    ) -> None:
        if not budget > 0:
            raise InvalidArgument(f"budget is {budget}; it must be above 0 seconds", reason="BAD_PARAMETER")
        self.budget = budget
        self.blocks = self.late = self.bypassed = self.generation = 0
        self.last_error: Optional[Exception] = None
        self._search = convert.search_params(k, nprobe, k_factor)
        self._weighting, self._alpha = weighting, alpha
        self._params(1.0)  # says now what is wrong with them, and not in the loop, where the server would
        _check_range("k", k, 1, 1024)
        _check_range("nprobe", nprobe, 1, 2**31 - 1)
        _check_range("k_factor", k_factor, 1, 1024)
        _check_range("alpha", alpha, 0, _FLOAT32_MAX)
        self._closed = threading.Event()
        self._resolved = threading.Event()
        self._voice = _voices.voice_of(voice)
        text = os.fspath(voice)
        is_file = self._voice is None and os.path.isfile(text)
        if self._voice is None and not is_file:
            if "/" in text or os.sep in text:  # no experiment has such a name
                raise FileNotFoundError(f"{text} is neither an index file nor the name of a voice")
            if not text:
                raise InvalidArgument("the voice's name is empty", reason="BAD_PARAMETER")
            self._voice = Voice(resolve_target(target), text)
        self._client = Client(resolve_target(target) if self._voice is None else self._voice.target)
        if is_file:
            threading.Thread(target=self._import, args=(text,), name="kith-import", daemon=True).start()
        else:
            self._resolved.set()

    def blend(self, frames: Any, index_rate: float = 1.0) -> Any:
        """index_rate * neighbours + (1 - index_rate) * frames, as RVC blends.

        Args:
            frames: [n, d] or [1, n, d], a numpy array or torch tensor of any float dtype.
            index_rate: 0 to 1; 0 gives the frames back without asking.

        Returns:
            The same shape, dtype, kind and device as `frames`: a new array, or `frames` itself where nothing was
            blended.

        Raises:
            InvalidArgument: a mistake of the caller's: frames that are no matrix, of another dimension than the
                voice's, or an index_rate out of range. Nothing else.
        """
        if not 0 <= index_rate <= 1:
            raise InvalidArgument(f"index_rate is {index_rate}; it must be 0 to 1", reason="BAD_PARAMETER")
        start = time.monotonic()
        matrix = convert.as_frames(frames)
        if index_rate == 0 or len(matrix) == 0:
            return frames
        self.blocks += 1
        try:
            blended = self._ask(matrix, index_rate, start)
        except KithError as error:
            if error.reason in ("DIMENSION_MISMATCH", "BAD_PARAMETER"):
                raise
            self.late += isinstance(error, DeadlineExceeded)
            self.bypassed += 1
            self.last_error = error
            return frames
        return convert.like(frames, blended)

    def ready(self, timeout: Optional[float] = None) -> bool:
        """Waits until the index file is imported; any other voice is ready at once. False after `timeout` seconds."""
        return self._resolved.wait(timeout)

    def close(self) -> None:
        """Closes the connection. Blocks given afterwards come back unchanged."""
        self._closed.set()
        self._client.close()

    def _params(self, index_rate: float) -> Any:
        return convert.expand_params(self._search, index_rate, self._weighting, self._alpha, False, False)

    def _ask(self, matrix: Any, index_rate: float, start: float) -> Any:
        voice = self._voice
        if voice is None:
            raise self._import_error or Cancelled("the index file is still being imported")
        left = start + self.budget - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded("the budget was over before the block was sent", reason="LATE")
        deadline = operations.Deadline(left, None)
        result = self._client._run(  # not repeated: the next block comes soon
            operations.expand(voice.name, matrix, self._params(index_rate), deadline, repeatable=False)
        )
        self.generation = result.generation
        return result.frames

    _import_error: Optional[KithError] = None

    def _import(self, path: str) -> None:
        while not self._closed.is_set():
            try:
                self._voice = _voices.imported(self._client, path)
                self._resolved.set()
                return
            except (KithError, OSError) as error:
                self._import_error = error if isinstance(error, KithError) else KithError(str(error))
            self._closed.wait(_RETRY_PAUSE)

