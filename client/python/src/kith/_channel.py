"""Where the server is and how to reach it; the same for both clients."""

from __future__ import annotations

import os
from typing import List, NamedTuple, Optional, Tuple, Union

import grpc

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


PathLike = Union[str, "os.PathLike[str]"]
SYSTEM_CA = "system"


class Security(NamedTuple):
    """How to speak to a server: by TLS (None: in plain text), and with what metadata besides that of a call."""

    credentials: Optional[grpc.ChannelCredentials]
    metadata: Tuple[Tuple[str, str], ...]


def security(
    tls_ca: Optional[PathLike],
    tls_cert: Optional[PathLike],
    tls_key: Optional[PathLike],
    token: Optional[str],
    token_file: Optional[PathLike],
) -> Security:
    """Reads the files; what is None comes from KITH_TLS_CA, KITH_TLS_CERT, KITH_TLS_KEY and KITH_TOKEN_FILE.

    Raises OSError for a file that cannot be read, InvalidArgument for what cannot be.
    """
    ca, cert, key = (
        os.environ.get(name) if given is None else os.fspath(given)
        for name, given in (("KITH_TLS_CA", tls_ca), ("KITH_TLS_CERT", tls_cert), ("KITH_TLS_KEY", tls_key))
    )
    if token is None:
        path = os.environ.get("KITH_TOKEN_FILE") if token_file is None else os.fspath(token_file)
        token = _first_line(path) if path else None
    if token is not None and not (token and token.isascii() and token.isprintable() and " " not in token):
        raise InvalidArgument("that is no token; give what kith token create prints", reason="BAD_PARAMETER")
    # Not as gRPC's call credentials, which it refuses to send over plain text.
    metadata: Tuple[Tuple[str, str], ...] = () if token is None else (("authorization", f"Bearer {token}"),)
    return Security(_credentials(ca, cert, key), metadata)


def _credentials(ca: Optional[str], cert: Optional[str], key: Optional[str]) -> Optional[grpc.ChannelCredentials]:
    if not (ca or cert or key):
        return None
    if bool(cert) != bool(key):
        raise InvalidArgument("tls_cert and tls_key are a pair; give both or none", reason="BAD_PARAMETER")
    return grpc.ssl_channel_credentials(
        root_certificates=_read(ca) if ca and ca != SYSTEM_CA else None,
        private_key=_read(key) if key else None,
        certificate_chain=_read(cert) if cert else None,
    )


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        content = file.read()
    if b"-----BEGIN " not in content:
        raise InvalidArgument(f"{path}: there is nothing in PEM in it", reason="BAD_PARAMETER")
    return content


def _first_line(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.readline().strip()


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
