"""The bookkeeping of a stream of blocks, without I/O: requests out, answers in; the same for both clients."""

from __future__ import annotations

import collections
from typing import Any, Callable, Deque, Optional, Tuple, Union

from kith import _convert as convert
from kith.errors import InvalidArgument, from_status
from kith.types import Block, ExpandResult, SearchResult
from kith.v1 import retrieval_pb2


class Session:
    """One thread may make requests while another reads answers."""

    def __init__(
        self,
        name: str,
        mode: str,
        params: retrieval_pb2.ExpandParams,
        budget: Optional[float],
        metadata: Tuple[Tuple[str, str], ...],
    ) -> None:
        if mode not in ("expand", "search"):
            raise InvalidArgument(f"mode is {mode!r}; it must be expand or search", reason="BAD_PARAMETER")
        self.metadata = metadata + convert.call_metadata(name)  # says now what is wrong with the name
        self.name = name
        self.method = "StreamExpand" if mode == "expand" else "StreamSearch"
        self._result: Callable[[Any, int], Union[ExpandResult, SearchResult]] = convert.search_result
        if mode == "expand":
            self._result = convert.expand_result
        self._request: Any = getattr(retrieval_pb2, f"{self.method}Request")
        self._open = retrieval_pb2.StreamOpen(experiment=name)
        self._open.params.CopyFrom(params if mode == "expand" else retrieval_pb2.ExpandParams(search=params.search))
        if budget is not None:
            if not budget > 0:
                raise InvalidArgument(f"budget is {budget}; it must be above 0 seconds", reason="BAD_PARAMETER")
            self._open.budget_ms = max(1, round(budget * 1000))
        self._next = 0
        self._rows: Deque[int] = collections.deque()  # of the blocks without an answer; answers come in their order

    def opening(self) -> Any:
        return self._request(open=self._open)

    def block(self, frames: Any, sequence: Optional[int]) -> Any:
        matrix = convert.as_frames(frames)
        number = self._next if sequence is None else sequence
        request = self._request(sequence=number, frames=convert.batch_of(matrix))
        self._next = number + 1
        self._rows.append(len(matrix))
        return request

    def answer(self, response: Any) -> Block:
        rows = self._rows.popleft() if self._rows else 0
        error = from_status(response.status)
        return Block(response.sequence, self._result(response, rows) if error is None else None, error)
