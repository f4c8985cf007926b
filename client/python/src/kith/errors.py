"""One family of errors. `KithError` is a RuntimeError, as faiss's are, so that code written for faiss catches it."""

from __future__ import annotations

from typing import Dict, Optional, Type

import grpc

from kith._rpc import error_details_pb2, status_pb2

__all__ = [
    "Aborted",
    "AlreadyExists",
    "Cancelled",
    "DataLoss",
    "DeadlineExceeded",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "KithError",
    "NotFound",
    "PermissionDenied",
    "ResourceExhausted",
    "Unauthenticated",
    "Unavailable",
]


class KithError(RuntimeError):
    """A call that failed.

    Attributes:
        code: the canonical gRPC code, as "NOT_FOUND".
        reason: the server's stable reason, as "EXPERIMENT_NOT_FOUND"; empty where no server gave one.
        retry_after: seconds after which the server asks to be tried again, or None.
    """

    code: str = "UNKNOWN"

    def __init__(self, message: str, *, reason: str = "", retry_after: Optional[float] = None, code: str = "") -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.reason = reason
        self.retry_after = retry_after

    def __reduce__(self) -> tuple:  # type: ignore[type-arg]
        return _rebuild, (type(self), str(self), self.reason, self.retry_after, self.code)


def _rebuild(kind: Type[KithError], message: str, reason: str, retry_after: Optional[float], code: str) -> KithError:
    return kind(message, reason=reason, retry_after=retry_after, code=code)


class InvalidArgument(KithError, ValueError):
    """A parameter or a batch of frames that cannot be; the message names it. Raised before sending where possible."""

    code = "INVALID_ARGUMENT"


class NotFound(KithError, LookupError):
    """There is no such experiment."""

    code = "NOT_FOUND"


class AlreadyExists(KithError):
    """A request_id was used before with other content, or what a backup holds is there already."""

    code = "ALREADY_EXISTS"


class FailedPrecondition(KithError):
    """The experiment is not in a state for this: not trained yet, being trained, or pinned."""

    code = "FAILED_PRECONDITION"


class Aborted(KithError):
    """Another training or import of the experiment runs (reason TRAINING_IN_PROGRESS)."""

    code = "ABORTED"


class ResourceExhausted(KithError):
    """A queue, a limit or the memory is full, or calls come too fast; `retry_after` says when to try again."""

    code = "RESOURCE_EXHAUSTED"


class DeadlineExceeded(KithError):
    """The time of the call, or the budget of a block (reason LATE), was over."""

    code = "DEADLINE_EXCEEDED"


class Unavailable(KithError):
    """The server was not reached (no reason), is draining (SHUTTING_DOWN), or cannot write (STORAGE)."""

    code = "UNAVAILABLE"


class DataLoss(KithError):
    """The experiment's files on the server are damaged."""

    code = "DATA_LOSS"


class Unauthenticated(KithError):
    """The server wants a token, and there is none, or it is none of the server's."""

    code = "UNAUTHENTICATED"


class PermissionDenied(KithError):
    """The token is not for this call or this experiment, whether there is such a one or not."""

    code = "PERMISSION_DENIED"


class Internal(KithError):
    """A fault of the server, or an answer that makes no sense."""

    code = "INTERNAL"


class Cancelled(KithError):
    """The call was cancelled here."""

    code = "CANCELLED"


_BY_CODE: Dict[str, Type[KithError]] = {
    kind.code: kind
    for kind in (
        InvalidArgument,
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        Aborted,
        ResourceExhausted,
        DeadlineExceeded,
        Unavailable,
        DataLoss,
        Unauthenticated,
        PermissionDenied,
        Internal,
        Cancelled,
    )
}
_NAMES: Dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}


def from_status(status: status_pb2.Status) -> Optional[KithError]:
    """The error of a google.rpc.Status, with reason and retry_after from its details; None where it is OK."""
    if status.code == 0:
        return None
    info = error_details_pb2.ErrorInfo()
    retry = error_details_pb2.RetryInfo()
    retry_after = None
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
        elif detail.Is(retry.DESCRIPTOR):
            detail.Unpack(retry)
            retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    code = _NAMES.get(status.code, "UNKNOWN")
    return _BY_CODE.get(code, KithError)(status.message, reason=info.reason, retry_after=retry_after, code=code)


def from_rpc(error: grpc.RpcError, target: str) -> KithError:
    """The error of a failed call to `target`."""
    code, message = error.code(), error.details() or ""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            status.code, status.message = code.value[0], message
            converted = from_status(status)
            if converted is not None:
                return converted
    if code is grpc.StatusCode.UNAVAILABLE:
        message = (
            f"cannot reach the server at {target} ({message}); is kithd running there? "
            f"Start it with: kithd --listen {target}"
        )
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        message = f"no answer from {target} in time: {message}"
    return _BY_CODE.get(code.name, KithError)(message, code=code.name)
