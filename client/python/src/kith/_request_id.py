"""Names for calls, as the server's log and errors have them."""

from __future__ import annotations

import contextlib
import contextvars
from typing import Iterator

from kith.errors import InvalidArgument

_current: contextvars.ContextVar[str] = contextvars.ContextVar("kith_request_id", default="")


@contextlib.contextmanager
def request_id(name: str) -> Iterator[None]:
    """Names the calls that are made within, of this thread or task, for the server's log and in their errors
    (`KithError.request_id`); without it the server makes a name for each::

        with kith.request_id(trace_id):
            client.expand("my-voice", frames)

    Raises InvalidArgument where it is not 1 to 128 characters of visible ASCII.
    """
    if not (isinstance(name, str) and 0 < len(name) <= 128 and all("!" <= each <= "~" for each in name)):
        raise InvalidArgument(
            f"the id {name!r} is not 1 to 128 characters of visible ASCII", reason="BAD_PARAMETER"
        )
    token = _current.set(name)
    try:
        yield
    finally:
        _current.reset(token)


def current_request_id() -> str:
    """Empty where there is none."""
    return _current.get()
