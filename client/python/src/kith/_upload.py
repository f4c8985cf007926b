"""Frames and files cut into messages of a bounded size."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, AsyncIterable, Callable, Iterable, Iterator, Optional, Union

import numpy as np

from kith._convert import FloatArray, as_frames, batch_of
from kith.errors import InvalidArgument

#: What train() and add() take: an array [n, d], a .npy file, a folder of .npy files, or an iterable of those.
FrameInput = Union[Any, str, "os.PathLike[str]", Iterable[Any]]

MESSAGE_BYTES = 1 << 20  # of numbers in one message: small enough to keep both ends busy


class FrameUpload:
    """The messages of a Train or Add: the opening one, then those of the frames, each of at most MESSAGE_BYTES.

    Iterating raises InvalidArgument where the frames' dimension changes or there are none, and the error of a file that
    cannot be read.
    """

    def __init__(self, opening: Any, source: Optional[FrameInput]) -> None:
        self.opening = opening
        self.source = source
        self._dimension = 0

    @property
    def repeatable(self) -> bool:
        """Whether the frames can be had a second time: not from a generator."""
        if isinstance(self.source, AsyncIterable):
            return False
        return _is_one(self.source) or not isinstance(self.source, Iterable) or iter(self.source) is not self.source

    def __iter__(self) -> Iterator[Any]:
        yield self.start()
        if self.source is None:
            return
        for item in _items(self.source):
            yield from self.messages(item)
        self.finish()

    def start(self) -> Any:
        self._dimension = 0
        return self.opening

    def messages(self, item: FrameInput) -> Iterator[Any]:
        """The messages of one item of the source."""
        for frames in _matrices(item):
            self._dimension = self._dimension or frames.shape[1]
            if frames.shape[1] != self._dimension:
                raise InvalidArgument(
                    f"frames of dimension {frames.shape[1]} after frames of dimension {self._dimension}; "
                    "all frames of one upload must have the same",
                    reason="DIMENSION_MISMATCH",
                )
            rows = max(1, MESSAGE_BYTES // (4 * frames.shape[1]))
            for first in range(0, len(frames), rows):
                yield type(self.opening)(frames=batch_of(frames[first : first + rows]))

    def finish(self) -> None:
        if self._dimension == 0:
            raise InvalidArgument("there are no frames to send", reason="EMPTY_BATCH")


class FileUpload:
    """The messages of an Import or a Restore: the opening one, then the file's bytes."""

    repeatable = False

    def __init__(self, opening: Any, path: Path) -> None:
        self._opening = opening
        self._path = path

    def __iter__(self) -> Iterator[Any]:
        with open(self._path, "rb") as file:
            yield self._opening
            read: Callable[[], bytes] = lambda: file.read(MESSAGE_BYTES)
            for piece in iter(read, b""):
                yield type(self._opening)(data=piece)


def _is_one(source: Any) -> bool:
    return isinstance(source, (str, os.PathLike)) or hasattr(source, "__array__")


def _items(source: FrameInput) -> Iterator[Any]:
    if _is_one(source) or not isinstance(source, Iterable):
        yield source
    else:
        yield from source


def _matrices(item: Any) -> Iterator[FloatArray]:
    """The matrices of one item. Files of a folder come in the order of their names, as RVC takes them."""
    if not isinstance(item, (str, os.PathLike)):
        frames = as_frames(item)
        if len(frames):
            yield frames
        return
    path = Path(item)
    files = sorted(path.glob("*.npy"), key=lambda file: file.name) if path.is_dir() else [path]
    if not files:
        raise InvalidArgument(f"there is no .npy file in {path}", reason="EMPTY_BATCH")
    for file in files:
        try:
            array = np.load(file, allow_pickle=False, mmap_mode="r")
        except ValueError as error:
            raise InvalidArgument(f"{file} is no readable .npy file: {error}", reason="BAD_BATCH") from None
        try:
            frames = as_frames(array)
        except InvalidArgument as error:
            raise InvalidArgument(f"{file}: {error}", reason=error.reason) from None
        if len(frames):
            yield frames
