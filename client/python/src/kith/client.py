"""The client for ordinary, threaded Python."""

from __future__ import annotations

import os
import threading
import time
from types import TracebackType
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Tuple, Type, TypeVar, Union

import grpc

from kith import _channel, errors
from kith import _convert as convert
from kith import _operations as operations
from kith._channel import PathLike
from kith._convert import FloatArray
from kith._operations import Deadline, OnProgress, Operation, Rpc
from kith._session import Session
from kith._upload import FrameInput
from kith.streams import BlockStream
from kith.types import (
    AddResult,
    BackupResult,
    ExpandResult,
    Experiment,
    ExportResult,
    Generation,
    Recipe,
    SearchResult,
    ServerInfo,
)
from kith.v1 import experiments_pb2_grpc, retrieval_pb2_grpc

T = TypeVar("T")


class Client:
    """A connection to a Kith server. Thread-safe; connects at the first call. A context manager, which closes it.

    Frames go in as anything that numpy takes for a matrix [n, d] of numbers, of any float dtype and memory order
    ([1, n, d] and torch tensors too), and travel as float32. Results are numpy arrays. Requests above the server's
    limits are sent in parts and put together again, all of one generation.

    Every method raises `kith.KithError` or one of its kinds: `InvalidArgument`, `NotFound`, `Unavailable` where no
    server is reached, and so on. Methods that may be repeated without harm (search, expand, add, list, show, frames,
    export_index, load, unload, pin, unpin, generations, server_info) are tried up to twice more while the connection
    breaks or the server drains, which they then wait for to be back, for `connect_timeout` at most.
    `timeout` is in seconds, of the whole method; without it each request of a search, expand, list, show, delete,
    unload, unpin, generations or server_info has `request_timeout`, and the others any time.

    Args:
        target: "HOST:PORT"; None: the variable KITH_SERVER, else 127.0.0.1:50051. Without a port: 50051.
        connect_timeout: seconds that an attempt to connect may take.
        request_timeout: seconds for one request.
        tls_ca: PEM file of the authorities that the server's certificate may be by, or "system" for this machine's;
            with it, or with a certificate, the connection is by TLS. None: KITH_TLS_CA.
        tls_cert, tls_key: PEM files of a certificate and its key for a server that asks for one. None: KITH_TLS_CERT,
            KITH_TLS_KEY.
        token: as kith token create prints it, or token_file, a file with it. None of them: the file KITH_TOKEN_FILE.
            It goes in plain text where there is no TLS.
    """

    def __init__(
        self,
        target: Optional[str] = None,
        *,
        connect_timeout: float = 5.0,
        request_timeout: float = _channel.UNARY_TIMEOUT,
        tls_ca: Optional[PathLike] = None,
        tls_cert: Optional[PathLike] = None,
        tls_key: Optional[PathLike] = None,
        token: Optional[str] = None,
        token_file: Optional[PathLike] = None,
    ) -> None:
        self.target = _channel.resolve_target(target)
        self._request_timeout = request_timeout
        self._connect_timeout = connect_timeout
        credentials, self._metadata = _channel.security(tls_ca, tls_cert, tls_key, token, token_file)
        options = _channel.channel_options(connect_timeout)
        if credentials is None:
            self._channel = grpc.insecure_channel(self.target, options=options)
        else:
            self._channel = grpc.secure_channel(self.target, credentials, options=options)
        self._stubs = {
            "Retrieval": retrieval_pb2_grpc.RetrievalStub(self._channel),
            "Experiments": experiments_pb2_grpc.ExperimentsStub(self._channel),
        }

    def train(
        self,
        name: str,
        frames: Optional[FrameInput] = None,
        *,
        recipe: Union[Recipe, str, None] = None,
        on_progress: OnProgress = None,
        request_id: str = "",
        timeout: Optional[float] = None,
    ) -> Experiment:
        """Trains `name` on `frames`, replacing what it holds, waits for the end, and gives what was built.

        Args:
            frames: an array [n, d], a .npy file, a folder of .npy files (RVC's 3_feature768), or an iterable of those;
                None: the frames that are stored, additions included.
            recipe: None: "auto"; for stored frames, the recipe of the last training. A string is a recipe's name.
            on_progress: called with a `Progress` at every step.
            request_id: makes a retry of the caller's safe: the same id with the same content trains once.

        Raises:
            Aborted: another training of it runs.
            InvalidArgument: frames or recipe are not usable; the message says why.
        """
        return self._run(operations.train(name, frames, recipe, request_id, on_progress, self._any_time(timeout)))

    def add(
        self, name: str, frames: FrameInput, *, request_id: str = "", timeout: Optional[float] = None
    ) -> AddResult:
        """Appends `frames` (as for train), all of them or none; durable and searchable once this returns.

        Raises:
            FailedPrecondition: it is being trained (TRAINING_IN_PROGRESS) or never was (NOT_TRAINED).
        """
        return self._run(operations.add(name, frames, request_id, self._any_time(timeout)))

    def search(
        self,
        name: str,
        frames: Any,
        k: Optional[int] = None,
        *,
        nprobe: Optional[int] = None,
        k_factor: Optional[float] = None,
        timeout: Optional[float] = None,
    ) -> SearchResult:
        """The k nearest stored frames of each row of `frames` [n, d]: ids int64 [n, k], distances float32 [n, k].

        Args:
            k: 1 to 1,024; None: 8.
            nprobe, k_factor: inverted lists to visit, candidates re-ranked per neighbour; None: the experiment's own.
        """
        return self._run(operations.search(name, frames, k, nprobe, k_factor, self._each_request(timeout)))

    def expand(
        self,
        name: str,
        frames: Any,
        *,
        index_rate: Optional[float] = None,
        k: Optional[int] = None,
        nprobe: Optional[int] = None,
        k_factor: Optional[float] = None,
        weighting: str = "inverse-square",
        alpha: Optional[float] = None,
        include_query: bool = False,
        unit_norm: bool = False,
        timeout: Optional[float] = None,
    ) -> ExpandResult:
        """Each row of `frames` [n, d] blended with its nearest stored frames: float32 [n, d].

        Args:
            index_rate: share of the neighbours in the result, 0 to 1; None: 1.
            weighting: "inverse-square", as RVC does, or "alpha": max(0, cosine)^alpha.
            alpha, include_query, unit_norm: of weighting "alpha" only: the exponent (None: 3), whether the row itself
                takes part with weight 1 (at its neighbours' mean norm), and rows of norm 1 instead of the row's own.
            k, nprobe, k_factor: as for search.
        """
        params = convert.expand_params(
            convert.search_params(k, nprobe, k_factor), index_rate, weighting, alpha, include_query, unit_norm
        )
        return self._run(operations.expand(name, frames, params, self._each_request(timeout)))

    def stream(
        self,
        name: str,
        *,
        mode: str = "expand",
        budget: Optional[float] = None,
        index_rate: Optional[float] = None,
        k: Optional[int] = None,
        nprobe: Optional[int] = None,
        k_factor: Optional[float] = None,
        weighting: str = "inverse-square",
        alpha: Optional[float] = None,
        include_query: bool = False,
        unit_norm: bool = False,
        timeout: Optional[float] = None,
    ) -> BlockStream:
        """An open stream for real-time blocks: see `BlockStream`. Parameters as for expand; mode "search" reads those
        of search only.

        Args:
            budget: seconds for a block from the moment the server has it; a block that cannot keep it is answered with
                DeadlineExceeded (reason LATE) at once instead of being computed. None: none.
            timeout: seconds for the whole stream; None: any.
        """
        params = convert.expand_params(
            convert.search_params(k, nprobe, k_factor), index_rate, weighting, alpha, include_query, unit_norm
        )
        session = Session(name, mode, params, budget, self._metadata)
        method = getattr(self._stubs["Retrieval"], session.method)
        return BlockStream(self.target, method, session, self._any_time(timeout).of_request())

    def list(self, *, timeout: Optional[float] = None) -> List[Experiment]:
        """All experiments on the server, in the order of their names."""
        return self._run(operations.list_experiments(self._each_request(timeout)))

    def show(self, name: str, *, timeout: Optional[float] = None) -> Experiment:
        """One experiment. Raises NotFound."""
        return self._run(operations.show(name, self._each_request(timeout)))

    def delete(self, name: str, *, timeout: Optional[float] = None) -> None:
        """Deletes an experiment and everything stored of it. Raises NotFound; Aborted while it is being trained."""
        self._run(operations.delete(name, self._each_request(timeout)))

    def import_index(
        self,
        name: str,
        path: Union[str, os.PathLike[str]],
        *,
        on_progress: OnProgress = None,
        timeout: Optional[float] = None,
    ) -> Experiment:
        """Makes the experiment `name` of a faiss index file, as RVC's added_*.index, replacing what it holds. It then
        answers as faiss does on that file.

        Raises:
            InvalidArgument: no index, a damaged or empty one, or of a type without support (reason BAD_INDEX).
            Aborted: a training or import of it runs (TRAINING_IN_PROGRESS).
        """
        return self._run(operations.import_index(name, path, on_progress, self._any_time(timeout)))

    def export_index(
        self, name: str, path: Union[str, os.PathLike[str]], *, timeout: Optional[float] = None
    ) -> ExportResult:
        """Writes the current generation, additions included, as a faiss index file that RVC and faiss read.

        Args:
            path: the file, replaced once all has arrived; or a folder, where it is named as RVC would.
        """
        return self._run(operations.export_index(name, path, self._any_time(timeout)))

    def frames(
        self, name: str, *, first_id: int = 0, count: Optional[int] = None, timeout: Optional[float] = None
    ) -> FloatArray:
        """The stored frames in the order of their ids, float32 [count, d], all of one generation: RVC's total_fea.npy.

        Args:
            count: rows; None: all from first_id on.
        """
        return self.frames_and_generation(name, first_id=first_id, count=count, timeout=timeout)[0]

    def frames_and_generation(
        self, name: str, *, first_id: int = 0, count: Optional[int] = None, timeout: Optional[float] = None
    ) -> Tuple[FloatArray, int]:
        """As `frames`, with the number of the generation that they are of."""
        return self._run(operations.frames_of(name, first_id, count, self._any_time(timeout)))

    def load(self, name: str, *, timeout: Optional[float] = None) -> Experiment:
        """Loads an experiment into memory, as its first use would, and gives it as it is then.

        Raises:
            ResourceExhausted: it does not fit beside those that are pinned or in use (MEMORY_BUDGET).
            DataLoss: it cannot be read.
        """
        return self._run(operations.residency(name, "Load", self._any_time(timeout)))

    def unload(self, name: str, *, timeout: Optional[float] = None) -> Experiment:
        """Lets go of its memory once the searches that run have ended; its next use loads it again. Raises
        FailedPrecondition where it is pinned.
        """
        return self._run(operations.residency(name, "Unload", self._each_request(timeout)))

    def pin(self, name: str, *, timeout: Optional[float] = None) -> Experiment:
        """Loads an experiment, as load, and keeps it in memory, also after a restart of the server. Raises as load."""
        return self._run(operations.residency(name, "Pin", self._any_time(timeout)))

    def unpin(self, name: str, *, timeout: Optional[float] = None) -> Experiment:
        """It may leave memory again when others need room. Raises FailedPrecondition where the server's configuration
        preloads it.
        """
        return self._run(operations.residency(name, "Unpin", self._each_request(timeout)))

    def generations(self, name: str, *, timeout: Optional[float] = None) -> List[Generation]:
        """The generations of an experiment that are kept, the one that became current last first."""
        return self._run(operations.generations(name, self._each_request(timeout)))

    def rollback(self, name: str, to: Optional[int] = None, *, timeout: Optional[float] = None) -> Experiment:
        """Makes a kept generation the current one, as it last was, its additions included. What was added to the one
        that was current stays with that.

        Args:
            to: its number; None: the one that was current before.

        Raises:
            InvalidArgument: there is no such generation; the message names those there are.
            Aborted: it is being trained (TRAINING_IN_PROGRESS).
            DataLoss: that generation cannot be read.
        """
        return self._run(operations.rollback(name, to, self._any_time(timeout)))

    def server_info(self, *, timeout: Optional[float] = None) -> ServerInfo:
        """What the server is, what it holds, and where the time of its blocks went."""
        return self._run(operations.server_info(self._each_request(timeout)))

    def set_log_level(self, level: str, *, timeout: Optional[float] = None) -> str:
        """Changes what the server logs from now on, until it is started anew: "trace", "debug", "info", "warn" or
        "error", and what is worse. Gives what it was. Raises InvalidArgument."""
        return self._run(operations.set_log_level(level, self._each_request(timeout)))

    def backup(
        self, target: Union[str, os.PathLike[str], BinaryIO], *, timeout: Optional[float] = None
    ) -> BackupResult:
        """Writes all experiments, as they stand at one moment, into a tar: a data folder that kithd can be started on,
        and what restore takes. The server goes on serving. What is damaged there is not in it: look at left_out.

        Args:
            target: the file's path, replaced once all has arrived; or a binary file, into which it is written as it
                comes, and whose content is worth nothing where this raises.

        Raises:
            ResourceExhausted: another backup runs (OVERLOADED).
        """
        return self._run(operations.backup(target, self._any_time(timeout)))

    def restore(
        self, path: Union[str, os.PathLike[str]], replace: bool = False, *, timeout: Optional[float] = None
    ) -> List[Experiment]:
        """Puts the experiments of a backup in, each with its generations, additions and pin, whole or not at all, and
        gives those that were put in.

        Args:
            replace: let them take the place of experiments of the same names.

        Raises:
            InvalidArgument: the file is no backup.
            AlreadyExists: some of them exist and `replace` is False; nothing was done.
            Aborted: one of them is being trained (TRAINING_IN_PROGRESS); nothing was done.
            DataLoss: something in it is damaged; those that were put in before stay.
        """
        return self._run(operations.restore(path, replace, self._any_time(timeout)))

    def close(self) -> None:
        """Closes the connection; calls that run end with Cancelled."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _each_request(self, timeout: Optional[float]) -> Deadline:
        return Deadline(timeout, self._request_timeout)

    def _any_time(self, timeout: Optional[float]) -> Deadline:
        return Deadline(timeout, None)

    def _run(self, operation: Operation[T]) -> T:
        try:
            rpc = next(operation)
            while True:
                try:
                    answer = self._with_retries(rpc)
                except BaseException as error:
                    rpc = operation.throw(error)
                else:
                    rpc = operation.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _with_retries(self, rpc: Rpc) -> Any:
        attempt = 0
        # A server that drained is gone for a moment before the next one is there: until then no attempt counts.
        back_by: Optional[float] = None
        while True:
            try:
                return self._once(rpc)
            except errors.KithError as error:
                pause = rpc.pause_before_retry(error, attempt)
                if pause is None:
                    raise
                if back_by is None and error.reason == "SHUTTING_DOWN":
                    back_by = time.monotonic() + self._connect_timeout
            time.sleep(pause)
            if back_by is not None and time.monotonic() < back_by:
                self._wait_until_back(rpc.deadline.at_most(back_by - time.monotonic()))
            else:
                attempt += 1

    def _wait_until_back(self, seconds: float) -> None:
        try:
            grpc.channel_ready_future(self._channel).result(timeout=seconds)
        except (grpc.FutureTimeoutError, ValueError):  # the next attempt says it better; ValueError: a closed channel
            pass

    def _once(self, rpc: Rpc) -> Any:
        if rpc.on_start is not None:
            rpc.on_start()
        method = getattr(self._stubs[rpc.service], rpc.method)
        upload = _Upload(rpc.request) if rpc.uploads else None
        request = rpc.request if upload is None else iter(upload)
        metadata = self._metadata + convert.call_metadata(rpc.experiment)
        keywords = {"timeout": rpc.deadline.of_request(), "metadata": metadata}
        try:
            if rpc.on_answer is None and upload is None:
                return self._open(method, request, keywords)
            call = self._open(method.future if rpc.on_answer is None else method, request, keywords)
            if upload is not None:
                upload.started(call.cancel)
            return _last_answer(call, rpc.on_answer)
        except grpc.FutureCancelledError:
            raise (upload and upload.error) or errors.Cancelled("the call was cancelled") from None
        except grpc.RpcError as error:
            raise (upload and upload.error) or errors.from_rpc(error, self.target) from None

    def _open(self, method: Callable[..., Any], request: Any, keywords: Dict[str, Any]) -> Any:
        try:
            return method(request, **keywords)
        except ValueError as error:  # gRPC's, of a closed channel
            raise errors.Cancelled(f"this client was closed: {error}") from None


def _last_answer(call: Any, on_answer: Optional[Callable[[Any], None]]) -> Any:
    """Waits for the only answer, or hands each of them to `on_answer` and gives the last. Any error ends the call."""
    answer = None
    try:
        if on_answer is None:
            return call.result()
        for answer in call:
            on_answer(answer)
    except BaseException:
        call.cancel()
        raise
    return answer


class _Upload:
    """Hands requests to gRPC, which iterates in a thread of its own and would close the upload in order even where the
    source fails: then the call is cancelled first, so that the server keeps nothing of it.
    """

    def __init__(self, requests: Any) -> None:
        self.error: Optional[BaseException] = None
        self._requests = requests
        self._cancel: Callable[[], Any] = lambda: None
        self._ready = threading.Event()

    def started(self, cancel: Callable[[], Any]) -> None:
        self._cancel = cancel
        self._ready.set()

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._requests
        except Exception as error:
            self.error = error
            self._ready.wait()
            self._cancel()
