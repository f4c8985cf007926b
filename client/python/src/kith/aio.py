"""The asyncio twin of kith.client: the same methods, as coroutines.

    async with kith.aio.Client() as client:
        result = await client.expand("my-voice", frames, index_rate=0.75)
"""

from __future__ import annotations

import asyncio
import os
import time
from types import TracebackType
from typing import Any, AsyncIterable, AsyncIterator, BinaryIO, Iterator, List, Optional, Tuple, Type, TypeVar, Union

import grpc
import grpc.aio

from kith import _channel, errors
from kith import _convert as convert
from kith import _operations as operations
from kith._channel import PathLike
from kith._convert import FloatArray
from kith._operations import Deadline, OnProgress, Operation, Rpc
from kith._session import Session
from kith._upload import FrameInput, FrameUpload
from kith.types import (
    AddResult,
    BackupResult,
    Block,
    ExpandResult,
    Experiment,
    ExportResult,
    Generation,
    Recipe,
    SearchResult,
    ServerInfo,
)
from kith.v1 import experiments_pb2_grpc, retrieval_pb2_grpc

__all__ = ["BlockStream", "Client"]

T = TypeVar("T")


class Client:
    """As `kith.Client`, for one event loop: parameters, results and errors are the same. Cancelling a task cancels its
    call. train() and add() take async iterables of frames as well. Files are read in a thread.
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
            self._channel = grpc.aio.insecure_channel(self.target, options=options)
        else:
            self._channel = grpc.aio.secure_channel(self.target, credentials, options=options)
        self._stubs = {
            "Retrieval": retrieval_pb2_grpc.RetrievalStub(self._channel),
            "Experiments": experiments_pb2_grpc.ExperimentsStub(self._channel),
        }

    async def train(
        self,
        name: str,
        frames: Union[FrameInput, AsyncIterable[Any], None] = None,
        *,
        recipe: Union[Recipe, str, None] = None,
        on_progress: OnProgress = None,
        request_id: str = "",
        timeout: Optional[float] = None,
    ) -> Experiment:
        """See `kith.Client.train`."""
        return await self._run(
            operations.train(name, frames, recipe, request_id, on_progress, self._any_time(timeout))
        )

    async def add(
        self,
        name: str,
        frames: Union[FrameInput, AsyncIterable[Any]],
        *,
        request_id: str = "",
        timeout: Optional[float] = None,
    ) -> AddResult:
        """See `kith.Client.add`."""
        return await self._run(operations.add(name, frames, request_id, self._any_time(timeout)))

    async def search(
        self,
        name: str,
        frames: Any,
        k: Optional[int] = None,
        *,
        nprobe: Optional[int] = None,
        k_factor: Optional[float] = None,
        timeout: Optional[float] = None,
    ) -> SearchResult:
        """See `kith.Client.search`."""
        return await self._run(operations.search(name, frames, k, nprobe, k_factor, self._each_request(timeout)))

    async def expand(
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
        """See `kith.Client.expand`."""
        params = convert.expand_params(
            convert.search_params(k, nprobe, k_factor), index_rate, weighting, alpha, include_query, unit_norm
        )
        return await self._run(operations.expand(name, frames, params, self._each_request(timeout)))

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
        """See `kith.Client.stream`."""
        params = convert.expand_params(
            convert.search_params(k, nprobe, k_factor), index_rate, weighting, alpha, include_query, unit_norm
        )
        session = Session(name, mode, params, budget, self._metadata)
        method = getattr(self._stubs["Retrieval"], session.method)
        return BlockStream(self.target, method, session, self._any_time(timeout).of_request())

    async def list(self, *, timeout: Optional[float] = None) -> List[Experiment]:
        """See `kith.Client.list`."""
        return await self._run(operations.list_experiments(self._each_request(timeout)))

    async def show(self, name: str, *, timeout: Optional[float] = None) -> Experiment:
        """See `kith.Client.show`."""
        return await self._run(operations.show(name, self._each_request(timeout)))

    async def delete(self, name: str, *, timeout: Optional[float] = None) -> None:
        """See `kith.Client.delete`."""
        await self._run(operations.delete(name, self._each_request(timeout)))

    async def import_index(
        self,
        name: str,
        path: Union[str, os.PathLike[str]],
        *,
        on_progress: OnProgress = None,
        timeout: Optional[float] = None,
    ) -> Experiment:
        """See `kith.Client.import_index`."""
        return await self._run(operations.import_index(name, path, on_progress, self._any_time(timeout)))

    async def export_index(
        self, name: str, path: Union[str, os.PathLike[str]], *, timeout: Optional[float] = None
    ) -> ExportResult:
        """See `kith.Client.export_index`."""
        return await self._run(operations.export_index(name, path, self._any_time(timeout)))

    async def frames(
        self, name: str, *, first_id: int = 0, count: Optional[int] = None, timeout: Optional[float] = None
    ) -> FloatArray:
        """See `kith.Client.frames`."""
        return (await self.frames_and_generation(name, first_id=first_id, count=count, timeout=timeout))[0]

    async def frames_and_generation(
        self, name: str, *, first_id: int = 0, count: Optional[int] = None, timeout: Optional[float] = None
    ) -> Tuple[FloatArray, int]:
        """See `kith.Client.frames_and_generation`."""
        return await self._run(operations.frames_of(name, first_id, count, self._any_time(timeout)))

    async def load(self, name: str, *, timeout: Optional[float] = None) -> Experiment:
        """See `kith.Client.load`."""
        return await self._run(operations.residency(name, "Load", self._any_time(timeout)))

    async def unload(self, name: str, *, timeout: Optional[float] = None) -> Experiment:
        """See `kith.Client.unload`."""
        return await self._run(operations.residency(name, "Unload", self._each_request(timeout)))

    async def pin(self, name: str, *, timeout: Optional[float] = None) -> Experiment:
        """See `kith.Client.pin`."""
        return await self._run(operations.residency(name, "Pin", self._any_time(timeout)))

    async def unpin(self, name: str, *, timeout: Optional[float] = None) -> Experiment:
        """See `kith.Client.unpin`."""
        return await self._run(operations.residency(name, "Unpin", self._each_request(timeout)))

    async def generations(self, name: str, *, timeout: Optional[float] = None) -> List[Generation]:
        """See `kith.Client.generations`."""
        return await self._run(operations.generations(name, self._each_request(timeout)))

    async def rollback(self, name: str, to: Optional[int] = None, *, timeout: Optional[float] = None) -> Experiment:
        """See `kith.Client.rollback`."""
        return await self._run(operations.rollback(name, to, self._any_time(timeout)))

    async def server_info(self, *, timeout: Optional[float] = None) -> ServerInfo:
        """See `kith.Client.server_info`."""
        return await self._run(operations.server_info(self._each_request(timeout)))

    async def set_log_level(self, level: str, *, timeout: Optional[float] = None) -> str:
        """See `kith.Client.set_log_level`."""
        return await self._run(operations.set_log_level(level, self._each_request(timeout)))

    async def backup(
        self, target: Union[str, os.PathLike[str], BinaryIO], *, timeout: Optional[float] = None
    ) -> BackupResult:
        """See `kith.Client.backup`."""
        return await self._run(operations.backup(target, self._any_time(timeout)))

    async def restore(
        self, path: Union[str, os.PathLike[str]], replace: bool = False, *, timeout: Optional[float] = None
    ) -> List[Experiment]:
        """See `kith.Client.restore`."""
        return await self._run(operations.restore(path, replace, self._any_time(timeout)))

    async def close(self) -> None:
        """Closes the connection; calls that run are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()

    def _each_request(self, timeout: Optional[float]) -> Deadline:
        return Deadline(timeout, self._request_timeout)

    def _any_time(self, timeout: Optional[float]) -> Deadline:
        return Deadline(timeout, None)

    async def _run(self, operation: Operation[T]) -> T:
        try:
            rpc = next(operation)
            while True:
                try:
                    answer = await self._with_retries(rpc)
                except BaseException as error:
                    rpc = operation.throw(error)
                else:
                    rpc = operation.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _with_retries(self, rpc: Rpc) -> Any:
        attempt = 0
        # A server that drained is gone for a moment before the next one is there: until then no attempt counts.
        back_by: Optional[float] = None
        while True:
            try:
                return await self._once(rpc)
            except errors.KithError as error:
                pause = rpc.pause_before_retry(error, attempt)
                if pause is None:
                    raise
                if back_by is None and error.reason == "SHUTTING_DOWN":
                    back_by = time.monotonic() + self._connect_timeout
            await asyncio.sleep(pause)
            if back_by is not None and time.monotonic() < back_by:
                await self._wait_until_back(rpc.deadline.at_most(back_by - time.monotonic()))
            else:
                attempt += 1

    async def _wait_until_back(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._channel.channel_ready(), seconds)
        except (asyncio.TimeoutError, grpc.aio.UsageError):  # the next attempt says it better
            pass

    async def _once(self, rpc: Rpc) -> Any:
        if rpc.on_start is not None:
            rpc.on_start()
        method = getattr(self._stubs[rpc.service], rpc.method)
        upload = _Upload(rpc.request) if rpc.uploads else None
        request = rpc.request if upload is None else upload.requests()
        metadata = self._metadata + convert.call_metadata(rpc.experiment)
        keywords = {"timeout": rpc.deadline.of_request(), "metadata": metadata}
        try:
            call = method(request, **keywords)
            if rpc.on_answer is None:
                return await call
            answer = None
            async for answer in call:
                rpc.on_answer(answer)
            return answer
        except asyncio.CancelledError:
            if upload is not None and upload.error is not None:  # gRPC cancels a call whose source fails
                raise upload.error from None
            raise
        except grpc.RpcError as error:
            raise (upload and upload.error) or errors.from_rpc(error, self.target) from None
        except grpc.aio.UsageError as error:
            raise errors.Cancelled(f"this client was closed: {error}") from None


class _Upload:
    """Hands requests to gRPC, and keeps what the source raised: the call is then cancelled, never closed in order."""

    def __init__(self, source: Any) -> None:
        self.error: Optional[BaseException] = None
        self._source = source

    async def requests(self) -> AsyncIterator[Any]:
        source = self._source
        try:
            if isinstance(source, FrameUpload) and isinstance(source.source, AsyncIterable):
                yield source.start()
                async for item in source.source:
                    for request in source.messages(item):
                        yield request
                source.finish()
            else:
                requests: Iterator[Any] = iter(source)
                while True:
                    request = await asyncio.to_thread(lambda: next(requests, None))
                    if request is None:
                        break
                    yield request
        except Exception as error:
            self.error = error
            raise


class BlockStream:
    """Blocks of frames over one open stream; as `kith.BlockStream`, with coroutines::

        async with client.stream("my-voice", budget=0.2) as stream:
            await stream.write(frames)
            block = await stream.read()
    """

    def __init__(self, target: str, method: Any, session: Session, timeout: Optional[float]) -> None:
        self._target = target
        self._session = session
        self._opened = False
        self._call = method(timeout=timeout, metadata=session.metadata)

    async def write(self, frames: Any, sequence: Optional[int] = None) -> int:
        """Sends a block [n, d] and gives its number: `sequence`, or one more than the last. Raises where the stream is
        over.
        """
        request = self._session.block(frames, sequence)
        await self._open()
        await self._send(request)
        return int(request.sequence)

    async def read(self) -> Optional[Block]:
        """The next answer; waits for it. None: the stream ended in order, after close(). Raises where it broke."""
        await self._open()
        try:
            response = await self._call.read()
        except grpc.RpcError as error:
            raise errors.from_rpc(error, self._target) from None
        return None if response is grpc.aio.EOF else self._session.answer(response)

    async def close(self) -> None:
        """No more blocks will be written; those sent are still answered."""
        await self._open()
        await self._call.done_writing()

    def cancel(self) -> None:
        """Ends the stream at once."""
        self._call.cancel()

    async def __aiter__(self) -> AsyncIterator[Block]:
        while True:
            block = await self.read()
            if block is None:
                return
            yield block

    async def __aenter__(self) -> BlockStream:
        await self._open()
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.cancel()

    async def _open(self) -> None:
        if not self._opened:
            self._opened = True
            await self._send(self._session.opening())

    async def _send(self, request: Any) -> None:
        try:
            await self._call.write(request)
        except grpc.RpcError as error:
            raise errors.from_rpc(error, self._target) from None
        except asyncio.InvalidStateError as error:
            raise errors.FailedPrecondition(f"the stream is over: {error}") from None
