"""What each method of a client does, without doing any I/O.

An operation is a generator: it yields the Rpc that it wants made, is sent the (last) answer, and returns the method's
result. `kith.Client` and `kith.aio.Client` only differ in how they make the Rpc.
"""

from __future__ import annotations

import errno
import functools
import os
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Callable, Generator, Iterable, List, Optional, Tuple, Type, TypeVar, Union, cast

import numpy as np

from kith import _convert as convert
from kith._convert import FloatArray
from kith._upload import FileUpload, FrameInput, FrameUpload
from kith.errors import Aborted, Internal, InvalidArgument, KithError, Unavailable
from kith.types import (
    AddResult,
    BackupResult,
    ExpandResult,
    Experiment,
    ExportResult,
    Generation,
    LeftOut,
    Progress,
    Recipe,
    SearchResult,
    ServerInfo,
)
from kith.v1 import experiments_pb2, retrieval_pb2

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Operation = Generator["Rpc", Any, T]
OnProgress = Optional[Callable[[Progress], None]]

MAX_ROWS = 8192  # limits.rows
MAX_PAYLOAD = 4 << 20  # bytes of numbers in one message, either way
MAX_MESSAGE = 16 << 20  # limits.message_bytes
BYTES_PER_NEIGHBOUR = 12  # an id and a distance
DEFAULT_K = 8
RETRIES = 2
FIRST_PAUSE = 0.1  # seconds


def _of_a_name(operation: F) -> F:
    """Checks the experiment's name, the first argument, before a message is made of it."""

    @functools.wraps(operation)
    def checked(name: str, *arguments: Any, **keywords: Any) -> Any:
        convert.percent_encoded(name)
        return operation(name, *arguments, **keywords)

    return cast(F, checked)


class Deadline:
    """Of a whole method, however many requests it takes. Without a timeout each request has the default's."""

    def __init__(self, timeout: Optional[float], each: Optional[float]) -> None:
        if timeout is not None and not timeout > 0:
            raise InvalidArgument(f"timeout is {timeout}; it must be above 0 seconds", reason="BAD_PARAMETER")
        self._end = None if timeout is None else time.monotonic() + timeout
        self._each = each

    def of_request(self) -> Optional[float]:
        """Seconds that a request made now may take; None: any."""
        return self._each if self._end is None else max(0.001, self._end - time.monotonic())

    def at_most(self, seconds: float) -> float:
        """`seconds`, or what is left where that is less."""
        return seconds if self._end is None else max(0.0, min(seconds, self._end - time.monotonic()))

    def allows(self, pause: float) -> bool:
        return self._end is None or time.monotonic() + pause < self._end


@dataclass
class Rpc:
    """One call to make."""

    service: str  # "Retrieval" or "Experiments"
    method: str
    experiment: str  # for the metadata; empty: none
    request: Union[Any, Iterable[Any]]  # a message, or with `uploads` an iterable of them
    deadline: Deadline
    uploads: bool = False
    repeatable: bool = True  # whether it may be made again when the connection breaks
    on_start: Optional[Callable[[], None]] = None  # before each attempt
    on_answer: Optional[Callable[[Any], None]] = None  # a call that streams its answers: each of them

    def pause_before_retry(self, error: KithError, attempt: int) -> Optional[float]:
        """Seconds to wait before the attempt after number `attempt`; None: `error` is to be raised."""
        # A full disk is UNAVAILABLE too, but does not pass within a second.
        if not self.repeatable or not isinstance(error, Unavailable) or error.reason == "STORAGE" or attempt >= RETRIES:
            return None
        pause = FIRST_PAUSE * 2**attempt if error.retry_after is None else error.retry_after
        return pause if self.deadline.allows(pause) else None


@_of_a_name
def search(
    name: str, frames: Any, k: Optional[int], nprobe: Optional[int], k_factor: Optional[float], deadline: Deadline
) -> Operation[SearchResult]:
    params = convert.search_params(k, nprobe, k_factor)

    def ask(part: FloatArray) -> Operation[SearchResult]:
        request = retrieval_pb2.SearchRequest(experiment=name, frames=convert.batch_of(part), params=params)
        answer = yield Rpc("Retrieval", "Search", name, request, deadline)
        return convert.search_result(answer, len(part))

    matrix = convert.as_frames(frames)
    neighbours = DEFAULT_K if k is None else k
    parts = yield from _in_parts(matrix, BYTES_PER_NEIGHBOUR * neighbours, ask)
    return convert.join_searches(parts)


@_of_a_name
def expand(
    name: str, frames: Any, params: retrieval_pb2.ExpandParams, deadline: Deadline, repeatable: bool = True
) -> Operation[ExpandResult]:
    def ask(part: FloatArray) -> Operation[ExpandResult]:
        request = retrieval_pb2.ExpandRequest(experiment=name, frames=convert.batch_of(part), params=params)
        answer = yield Rpc("Retrieval", "Expand", name, request, deadline, repeatable=repeatable)
        return convert.expand_result(answer, len(part))

    parts = yield from _in_parts(convert.as_frames(frames), 0, ask)
    return convert.join_expansions(parts)


def _in_parts(
    frames: FloatArray, answer_row_bytes: int, ask: Callable[[FloatArray], Operation[Any]]
) -> Operation[List[Any]]:
    """Asks for parts that the limits allow, all of one generation: starts anew when a training came between."""
    row_bytes = max(4 * frames.shape[1], answer_row_bytes)
    rows = min(MAX_ROWS, max(1, MAX_PAYLOAD // row_bytes))
    for _ in range(3):
        parts: List[Any] = []
        for first in range(0, max(1, len(frames)), rows):  # without rows it is asked too: the server says what is wrong
            parts.append((yield from ask(frames[first : first + rows])))
            if parts[-1].generation != parts[0].generation:
                break
        else:
            return parts
    raise Aborted("the experiment was trained anew again and again during the call; try again later")


@_of_a_name
def train(
    name: str,
    frames: Optional[FrameInput],
    recipe: Union[Recipe, str, None],
    request_id: str,
    on_progress: OnProgress,
    deadline: Deadline,
) -> Operation[Experiment]:
    opening = retrieval_pb2.TrainRequest(
        experiment=name, request_id=request_id, recipe=convert.recipe_message(recipe)
    )
    upload = FrameUpload(opening, frames)
    return (yield from _build(Rpc("Retrieval", "Train", name, upload, deadline), on_progress))


@_of_a_name
def import_index(
    name: str, path: Union[str, "os.PathLike[str]"], on_progress: OnProgress, deadline: Deadline
) -> Operation[Experiment]:
    opening = experiments_pb2.ImportRequest(experiment=name, file_name=Path(path).name)
    rpc = Rpc("Experiments", "Import", name, FileUpload(opening, Path(path)), deadline)
    return (yield from _build(rpc, on_progress))


def _build(rpc: Rpc, on_progress: OnProgress) -> Operation[Experiment]:
    """A training or an import: made once, because a second one would replace what the first has built."""

    def report(answer: Any) -> None:
        if on_progress is not None:
            on_progress(convert.progress_of(answer))

    rpc.uploads, rpc.repeatable, rpc.on_answer = True, False, report
    answer = yield rpc
    if answer is None or answer.phase != retrieval_pb2.PHASE_DONE:
        raise Internal(f"the server ended the {rpc.method} without a result")
    return convert.experiment_of(answer.experiment)


@_of_a_name
def add(name: str, frames: FrameInput, request_id: str, deadline: Deadline) -> Operation[AddResult]:
    opening = retrieval_pb2.AddRequest(experiment=name, request_id=request_id or uuid.uuid4().hex)
    upload = FrameUpload(opening, frames)
    answer = yield Rpc("Retrieval", "Add", name, upload, deadline, uploads=True, repeatable=upload.repeatable)
    return AddResult(answer.first_id, answer.rows, answer.total_rows, answer.generation)


def list_experiments(deadline: Deadline) -> Operation[List[Experiment]]:
    experiments: List[Experiment] = []
    token = ""
    while True:
        request = experiments_pb2.ListExperimentsRequest(page_token=token)
        page = yield Rpc("Experiments", "List", "", request, deadline)
        experiments.extend(convert.experiment_of(message) for message in page.experiments)
        token = page.next_page_token
        if not token:
            return experiments


@_of_a_name
def show(name: str, deadline: Deadline) -> Operation[Experiment]:
    answer = yield Rpc("Experiments", "Get", name, experiments_pb2.GetExperimentRequest(name=name), deadline)
    return convert.experiment_of(answer.experiment)


@_of_a_name
def delete(name: str, deadline: Deadline) -> Operation[None]:
    # Once only: a second attempt after a lost answer would find nothing and call that an error.
    request = experiments_pb2.DeleteExperimentRequest(name=name)
    yield Rpc("Experiments", "Delete", name, request, deadline, repeatable=False)


@_of_a_name
def frames_of(
    name: str, first_id: int, count: Optional[int], deadline: Deadline
) -> Operation[Tuple[FloatArray, int]]:
    """Stored frames [count, d], and their generation."""
    if count == 0:
        raise InvalidArgument("count is 0; it must be 1 or more, or None for all", reason="BAD_PARAMETER")
    head = experiments_pb2.GetFramesResponse()
    frames: FloatArray = np.empty((0, 0), np.float32)
    filled = 0

    def start() -> None:
        nonlocal filled
        filled = 0
        head.Clear()

    def take(answer: experiments_pb2.GetFramesResponse) -> None:
        nonlocal frames, filled
        if not head.generation:
            head.CopyFrom(answer)
            frames = np.empty((head.rows, head.dimension), np.float32)
        raw = answer.frames.raw
        if raw:
            part = convert.frames_of(answer.frames, len(raw) // (4 * max(1, answer.frames.dimension)))
            if part.shape[1] != frames.shape[1] or filled + len(part) > len(frames):
                raise Internal("the server's answer is damaged: other frames than it had announced")
            frames[filled : filled + len(part)] = part
            filled += len(part)

    request = experiments_pb2.GetFramesRequest(name=name, first_id=first_id, count=count or 0)
    yield Rpc("Experiments", "GetFrames", name, request, deadline, on_start=start, on_answer=take)
    if filled != len(frames):
        raise Internal(f"the server sent {filled} of {len(frames)} frames")
    return frames, head.generation


@_of_a_name
def export_index(
    name: str, path: Union[str, "os.PathLike[str]"], deadline: Deadline
) -> Operation[ExportResult]:
    target = Path(path)
    head = experiments_pb2.ExportResponse()
    with _Part(target if target.is_dir() else target.parent) as part:
        yield _export_into(part.file, name, head, deadline)
        written = part.file.tell()
        if written != head.total_bytes:
            raise Internal(f"the server sent {written} of {head.total_bytes} bytes")
        if target.is_dir():
            target = target / Path(head.file_name).name
        part.keep(target)
    return ExportResult(str(target), written, head.generation)


class _Part:
    """A file on its way, beside the one that it is to be, so that a failure leaves no half a file: `keep` gives it its
    name, and without that it is gone.
    """

    def __init__(self, folder: Path) -> None:
        descriptor, self._path = tempfile.mkstemp(prefix=".kith-", suffix=".part", dir=folder)
        self.file: BinaryIO = os.fdopen(descriptor, "wb")
        self._kept = False

    def keep(self, target: Path) -> None:
        self.file.close()
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(self._path, 0o666 & ~umask)  # mkstemp's are the owner's alone
        os.replace(self._path, target)
        self._kept = True

    def __enter__(self) -> _Part:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        try:
            self.file.close()
        finally:
            if not self._kept:
                os.unlink(self._path)


def _export_into(file: BinaryIO, name: str, head: experiments_pb2.ExportResponse, deadline: Deadline) -> Rpc:
    def start() -> None:
        file.seek(0)
        file.truncate()
        head.Clear()

    def take(answer: experiments_pb2.ExportResponse) -> None:
        if not head.generation:
            head.CopyFrom(answer)
        file.write(answer.data)

    request = experiments_pb2.ExportRequest(name=name)
    return Rpc("Experiments", "Export", name, request, deadline, on_start=start, on_answer=take)


@_of_a_name
def residency(name: str, method: str, deadline: Deadline) -> Operation[Experiment]:
    """Load, Unload, Pin or Unpin: done twice, it is as done once."""
    request = getattr(experiments_pb2, f"{method}Request")(name=name)
    answer = yield Rpc("Experiments", method, name, request, deadline)
    return convert.experiment_of(answer.experiment)


@_of_a_name
def generations(name: str, deadline: Deadline) -> Operation[List[Generation]]:
    answer = yield Rpc("Experiments", "Generations", name, experiments_pb2.GenerationsRequest(name=name), deadline)
    return [convert.generation_of(message) for message in answer.generations]


@_of_a_name
def rollback(name: str, to: Optional[int], deadline: Deadline) -> Operation[Experiment]:
    # Once only: a second attempt after a lost answer would roll back to the one that was current at first.
    request = convert.rollback_request(name, to)
    answer = yield Rpc("Experiments", "Rollback", name, request, deadline, repeatable=False)
    return convert.experiment_of(answer.experiment)


def server_info(deadline: Deadline) -> Operation[ServerInfo]:
    answer = yield Rpc("Experiments", "GetServerInfo", "", experiments_pb2.GetServerInfoRequest(), deadline)
    return convert.server_info_of(answer)


def set_log_level(level: str, deadline: Deadline) -> Operation[str]:
    # Once only: a second attempt after a lost answer would give the new level as the old one.
    request = convert.log_level_request(level)
    answer = yield Rpc("Experiments", "SetLogLevel", "", request, deadline, repeatable=False)
    return str(answer.previous)


def backup(target: Union[str, os.PathLike[str], BinaryIO], deadline: Deadline) -> Operation[BackupResult]:
    if not isinstance(target, (str, os.PathLike)):
        return (yield from _backup_into(target, deadline))
    path = Path(target)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with _Part(path.parent) as part:
        result = yield from _backup_into(part.file, deadline)
        part.keep(path)
    return result


def _backup_into(file: BinaryIO, deadline: Deadline) -> Operation[BackupResult]:
    written = 0

    def take(answer: experiments_pb2.BackupResponse) -> None:
        nonlocal written
        file.write(answer.data)
        written += len(answer.data)

    # Once only: what was written into a caller's file cannot be taken back.
    request = experiments_pb2.BackupRequest()
    summary = yield Rpc("Experiments", "Backup", "", request, deadline, repeatable=False, on_answer=take)
    if summary is None or summary.data:
        raise Internal("the server ended the backup before its end")
    if written != summary.bytes:
        raise Internal(f"the server sent {written} of {summary.bytes} bytes")
    left_out = tuple(LeftOut(each.experiment, each.generation, each.message) for each in summary.left_out)
    return BackupResult(summary.experiments, summary.generations, summary.bytes, left_out)


def restore(
    path: Union[str, os.PathLike[str]], replace: bool, deadline: Deadline
) -> Operation[List[Experiment]]:
    with open(path, "rb") as file:
        head = file.read(512)
    if head[257:262] != b"ustar":  # what every tar has there; said before gigabytes are sent
        raise InvalidArgument(f"{os.fspath(path)} is no tar; give one that a backup wrote", reason="BAD_PARAMETER")
    upload = FileUpload(experiments_pb2.RestoreRequest(replace=replace), Path(path))
    answer = yield Rpc("Experiments", "Restore", "", upload, deadline, uploads=True, repeatable=False)
    return [convert.experiment_of(message) for message in answer.experiments]
