"""Where the server is and how to reach it; the same for both clients."""

from __future__ import annotations

import os
from typing import List, Optional, Tuple, Union

from kith import _operations as operations
from kith.errors import InvalidArgument

DEFAULT_TARGET = "127.0.0.1:50051"
UNARY_TIMEOUT = 30.0  # seconds


def resolve_target(target: Optional[str]) -> str:
    """`target`, else the variable KITH_SERVER, else 127.0.0.1:50051; without a port, 50051.

    A server written as a URL without an experiment, kith://HOST:PORT or with a slash at its end, is that server.
    """
    name = target or os.environ.get("KITH_SERVER") or DEFAULT_TARGET
    if name.startswith("kith://"):
        url, name = name, name[len("kith://") :].rstrip("/")
        if not name or "/" in name:
            raise InvalidArgument(f"the server's address {url!r} is not kith://HOST:PORT", reason="BAD_PARAMETER")
    if not name.isascii():
        raise InvalidArgument(f"the server's address {name!r} is not ASCII", reason="BAD_PARAMETER")
    if "://" in name or name.startswith(("unix:", "dns:")):
        return name
    name = name.rstrip("/")
    has_port = name.rfind(":") > name.rfind("]")  # of an IPv6 address
    return name if has_port else f"{name}:50051"


def channel_options(connect_timeout: float) -> List[Tuple[str, Union[int, str]]]:
    """Options for a connection of its own that is soon back when the server is."""
    return [
        ("grpc.max_receive_message_length", operations.MAX_MESSAGE),
        ("grpc.max_send_message_length", operations.MAX_MESSAGE),
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),
        # 5 minutes is the shortest keepalive that every gRPC server takes without being told to.
        ("grpc.keepalive_time_ms", 300_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # The retries of a call (0.1 and 0.2 s) outlast the longest pause between two attempts to connect.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", int(connect_timeout * 1000)),  # of one attempt
    ]
