"""Blocks of frames over one open stream, for threaded Python."""

from __future__ import annotations

import queue
from types import TracebackType
from typing import Any, Iterator, Optional, Type

import grpc

from kith import _convert as convert
from kith import errors
from kith._session import Session
from kith.types import Block

__all__ = ["BlockStream"]


class BlockStream:
    """Blocks of frames over one open stream, for real time. A context manager, which cancels what still runs; iterating
    gives the answers, in the order of the blocks.

    One thread may write while another reads; the same may do both::

        with client.stream("my-voice", index_rate=0.75, budget=0.2) as stream:
            stream.write(frames)
            block = stream.read()
            out = frames if block is None or block.error else block.result.frames
    """

    def __init__(self, target: str, method: Any, session: Session, timeout: Optional[float]) -> None:
        self._target = target
        self._session = session
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._requests.put(session.opening())
        self._closed = False
        self._call = method(iter(self._requests.get, None), timeout=timeout, metadata=session.metadata)
        self._call.add_callback(lambda: self._requests.put(None))  # gRPC's writing thread ends with the call

    def write(self, frames: Any, sequence: Optional[int] = None) -> int:
        """Sends a block [n, d] and gives its number: `sequence`, or one more than the last. Does not wait.

        Raises InvalidArgument for what is no matrix; what else is wrong with a block, its answer says.
        """
        if self._closed:
            raise errors.FailedPrecondition("the stream was closed; open another")
        request = self._session.block(frames, sequence)
        self._requests.put(request)
        return int(request.sequence)

    def read(self) -> Optional[Block]:
        """The next answer; waits for it. None: the stream ended in order, after close(). Raises where it broke."""
        try:
            return self._session.answer(next(self._call))
        except StopIteration:
            return None
        except grpc.RpcError as error:
            raise errors.from_rpc(error, self._target) from None

    def close(self) -> None:
        """No more blocks will be written; those sent are still answered."""
        if not self._closed:
            self._closed = True
            self._requests.put(None)

    def cancel(self) -> None:
        """Ends the stream at once, from any thread; a read() that waits raises Cancelled."""
        self._closed = True  # no close(): the server might end the stream in order before the cancellation comes
        self._call.cancel()

    def __iter__(self) -> Iterator[Block]:
        while True:
            block = self.read()
            if block is None:
                return
            yield block

    def __enter__(self) -> BlockStream:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.cancel()
