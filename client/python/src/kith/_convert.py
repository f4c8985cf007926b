"""numpy and plain values to messages and back; the same for both clients."""

from __future__ import annotations

import datetime
import urllib.parse
from typing import Any, List, Optional, Tuple, Type, TypeVar, Union

import numpy as np
import numpy.typing as npt

from kith._request_id import current_request_id
from kith.errors import Internal, InvalidArgument
from kith.types import (
    Compression,
    ExpandResult,
    Expansion,
    Experiment,
    Generation,
    Histogram,
    Progress,
    Recipe,
    SearchResult,
    ServerInfo,
)
from kith.v1 import experiments_pb2, retrieval_pb2, types_pb2

M = TypeVar("M")
FloatArray = npt.NDArray[np.float32]

_METRICS = {
    "l2": types_pb2.METRIC_L2,
    "inner-product": types_pb2.METRIC_INNER_PRODUCT,
    "cosine": types_pb2.METRIC_COSINE,
}
_METRIC_NAMES = {value: name for name, value in _METRICS.items()}
_STATE_NAMES = {
    types_pb2.Experiment.STATE_TRAINING: "training",
    types_pb2.Experiment.STATE_READY: "ready",
    types_pb2.Experiment.STATE_FAILED: "failed",
    types_pb2.Experiment.STATE_DEGRADED: "degraded",
}
_WEIGHTINGS = {
    "inverse-square": retrieval_pb2.WEIGHTING_INVERSE_SQUARE,
    "alpha": retrieval_pb2.WEIGHTING_ALPHA,
}


def as_frames(frames: Any) -> FloatArray:
    """`frames` as a C-ordered little-endian float32 matrix [n, d].

    Takes what numpy takes, of any float or integer dtype and memory order, and torch tensors; [1, n, d], as RVC has it,
    is [n, d]. InvalidArgument (BAD_BATCH) for anything else.
    """
    if hasattr(frames, "detach") and hasattr(frames, "cpu"):  # a torch tensor; numpy has no bfloat16
        frames = frames.detach().cpu().float().numpy()
    array = np.asarray(frames)
    if array.dtype.kind not in "fiu":
        raise InvalidArgument(
            f"frames of dtype {array.dtype} are no numbers; give a float array [n, d]", reason="BAD_BATCH"
        )
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.shape[1] < 1:
        raise InvalidArgument(
            f"frames of shape {list(array.shape)} are no matrix; give [n, d], one row a frame", reason="BAD_BATCH"
        )
    with np.errstate(over="ignore"):  # an infinity is the server's to refuse, which names the row
        return np.ascontiguousarray(array, dtype="<f4")


def like(frames: Any, result: FloatArray) -> Any:
    """`result` as what `frames` is: a torch tensor on its device, or a numpy array; its shape and floating dtype."""
    if hasattr(frames, "detach") and hasattr(frames, "cpu"):
        import torch  # it is there, or there would be no tensor

        return torch.from_numpy(result).reshape(frames.shape).to(device=frames.device, dtype=frames.dtype)
    array = np.asarray(frames)
    kind = array.dtype if array.dtype.kind == "f" else np.dtype(np.float32)
    return result.reshape(array.shape).astype(kind, copy=False)


def batch_of(frames: FloatArray) -> types_pb2.FloatBatch:
    return types_pb2.FloatBatch(dimension=frames.shape[1], raw=frames.tobytes())


def frames_of(batch: types_pb2.FloatBatch, rows: int) -> FloatArray:
    """The rows of an answer, [rows, dimension]; a view of the message's bytes, not writable."""
    if batch.dimension < 1 or len(batch.raw) != 4 * rows * batch.dimension:
        raise Internal(
            f"the server's answer is damaged: {len(batch.raw)} bytes for {rows} rows of {batch.dimension} values"
        )
    return np.frombuffer(batch.raw, dtype="<f4").reshape(rows, batch.dimension)


def search_result(answer: Any, rows: int) -> SearchResult:
    """Of a SearchResponse or StreamSearchResponse."""
    if answer.k < 1 or len(answer.ids) != rows * answer.k or len(answer.distances) != len(answer.ids):
        raise Internal(
            f"the server's answer is damaged: {len(answer.ids)} ids and {len(answer.distances)} distances "
            f"for {rows} rows of {answer.k}"
        )
    return SearchResult(
        np.array(answer.ids, dtype=np.int64).reshape(rows, answer.k),
        np.array(answer.distances, dtype=np.float32).reshape(rows, answer.k),
        answer.generation,
    )


def expand_result(answer: Any, rows: int) -> ExpandResult:
    """Of an ExpandResponse or StreamExpandResponse."""
    return ExpandResult(frames_of(answer.frames, rows).copy(), answer.passthrough_rows, answer.generation)


def join_searches(parts: List[SearchResult]) -> SearchResult:
    if len(parts) == 1:
        return parts[0]
    return SearchResult(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.distances for part in parts]),
        parts[0].generation,
    )


def join_expansions(parts: List[ExpandResult]) -> ExpandResult:
    if len(parts) == 1:
        return parts[0]
    return ExpandResult(
        np.concatenate([part.frames for part in parts]),
        sum(part.passthrough_rows for part in parts),
        parts[0].generation,
    )


def search_params(k: Optional[int], nprobe: Optional[int], k_factor: Optional[float]) -> retrieval_pb2.SearchParams:
    return _message(retrieval_pb2.SearchParams, k=k, nprobe=nprobe, k_factor=k_factor)


def expand_params(
    search: retrieval_pb2.SearchParams,
    index_rate: Optional[float],
    weighting: str,
    alpha: Optional[float],
    include_query: bool,
    unit_norm: bool,
) -> retrieval_pb2.ExpandParams:
    return _message(
        retrieval_pb2.ExpandParams,
        search=search,
        index_rate=index_rate,
        weighting=_one_of("weighting", weighting, _WEIGHTINGS),
        alpha=alpha,
        include_query=include_query,
        unit_norm=unit_norm,
    )


def recipe_message(recipe: Union[Recipe, str, None]) -> Optional[types_pb2.Recipe]:
    """A string is a recipe's name. None stays None: the server's own choice."""
    if recipe is None:
        return None
    if isinstance(recipe, str):
        recipe = Recipe(name=recipe)
    compression, expansion = recipe.compression, recipe.expansion
    return _message(
        types_pb2.Recipe,
        name=recipe.name,
        factory=recipe.factory,
        metric=_one_of("metric", recipe.metric, _METRICS),
        nprobe=recipe.nprobe,
        k_factor=recipe.k_factor,
        seed=recipe.seed,
        compression=None
        if compression is None
        else _message(
            types_pb2.Compression,
            centres=compression.centres,
            batch_size=compression.batch_size,
            iterations=compression.iterations,
        ),
        expansion=None
        if expansion is None
        else _message(
            types_pb2.Expansion,
            neighbors=expansion.neighbors,
            alpha=expansion.alpha,
            unit_norm=expansion.unit_norm,
        ),
    )


def experiment_of(message: types_pb2.Experiment) -> Experiment:
    return Experiment(
        name=message.name,
        state=_STATE_NAMES.get(message.state, "unknown"),
        message=message.message,
        training=message.training,
        rows=message.rows,
        dimension=message.dimension,
        metric=_METRIC_NAMES.get(message.metric, "l2"),
        recipe=message.recipe,
        factory=message.factory,
        nlist=message.nlist,
        nprobe=message.nprobe,
        k_factor=message.k_factor,
        seed=message.seed,
        generation=message.generation,
        recall_at_8=message.recall_at_8,
        bytes=message.bytes,
        resident=message.resident,
        created=_time(message, "created"),
        updated=_time(message, "updated"),
        compression=_compression_of(message),
        expansion=_expansion_of(message),
        source_sha256=message.source_sha256,
        disk_bytes=message.disk_bytes,
        pinned=message.pinned,
        last_used=_time(message, "last_used"),
    )


def server_info_of(message: experiments_pb2.GetServerInfoResponse) -> ServerInfo:
    return ServerInfo(
        version=message.version,
        faiss=message.faiss,
        instruction_set=message.instruction_set,
        blas=message.blas,
        search_threads=message.search_threads,
        started=_time(message, "started"),
        memory_budget_bytes=message.memory_budget_bytes,
        memory_reserved_bytes=message.memory_reserved_bytes,
        experiments=message.experiments,
        resident_experiments=message.resident_experiments,
        histograms=tuple(
            Histogram(each.name, tuple(each.bounds), tuple(each.counts), each.sum, each.count)
            for each in message.histograms
        ),
        log_level=message.log_level,
    )


def generation_of(message: types_pb2.Generation) -> Generation:
    recipe = message.recipe
    return Generation(
        number=message.number,
        current=message.current,
        message=message.message,
        rows=message.rows,
        dimension=message.dimension,
        recipe=Recipe(
            name=recipe.name,
            factory=recipe.factory,
            metric=_METRIC_NAMES.get(recipe.metric, "l2"),
            nprobe=_set(recipe, "nprobe"),
            k_factor=_set(recipe, "k_factor"),
            seed=_set(recipe, "seed"),
            compression=_compression_of(recipe),
            expansion=_expansion_of(recipe),
        ),
        factory=message.factory,
        nlist=message.nlist,
        nprobe=message.nprobe,
        recall_at_8=message.recall_at_8,
        disk_bytes=message.disk_bytes,
        created=_time(message, "created"),
        updated=_time(message, "updated"),
    )


def _compression_of(message: Union[types_pb2.Experiment, types_pb2.Recipe]) -> Optional[Compression]:
    if not message.HasField("compression"):
        return None
    stored = message.compression
    return Compression(stored.centres, _set(stored, "batch_size"), _set(stored, "iterations"))


def _expansion_of(message: Union[types_pb2.Experiment, types_pb2.Recipe]) -> Optional[Expansion]:
    if not message.HasField("expansion"):
        return None
    stored = message.expansion
    return Expansion(stored.neighbors, _set(stored, "alpha"), stored.unit_norm)


def rollback_request(name: str, to: Optional[int]) -> experiments_pb2.RollbackRequest:
    return _message(experiments_pb2.RollbackRequest, name=name, to=to)


def log_level_request(level: str) -> experiments_pb2.SetLogLevelRequest:
    return _message(experiments_pb2.SetLogLevelRequest, level=level)


def progress_of(answer: Union[retrieval_pb2.TrainResponse, experiments_pb2.ImportResponse]) -> Progress:
    name = retrieval_pb2.Phase.Name(answer.phase) if answer.phase in retrieval_pb2.Phase.values() else "PHASE_UNKNOWN"
    return Progress(name[len("PHASE_") :].lower(), answer.done, answer.total)


def call_metadata(experiment: str) -> Tuple[Tuple[str, str], ...]:
    """x-kith-experiment, for proxies: metadata is ASCII, so the name goes percent-encoded. Nothing without a name.
    x-request-id, where `kith.request_id` gives one."""
    metadata: Tuple[Tuple[str, str], ...] = (
        (("x-kith-experiment", percent_encoded(experiment)),) if experiment else ()
    )
    named = current_request_id()
    return metadata + ((("x-request-id", named),) if named else ())


def percent_encoded(name: str) -> str:
    """RFC 3986: unreserved characters as they are, every other byte as %XX. InvalidArgument for what is no text."""
    if not isinstance(name, str):
        raise InvalidArgument(f"the name {name!r} is no text", reason="BAD_PARAMETER")
    try:
        return urllib.parse.quote(name, safe="")
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"the name {name!r} is no Unicode text: {error.reason}", reason="BAD_PARAMETER") from None


def _message(kind: Type[M], **fields: Any) -> M:
    """A message of the fields that are not None. InvalidArgument for a value that its field cannot hold."""
    try:
        return kind(**{name: value for name, value in fields.items() if value is not None})
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{name}={value!r}" for name, value in fields.items() if value is not None)
        raise InvalidArgument(f"{kind.__name__}({given}): {error}", reason="BAD_PARAMETER") from None


def _one_of(what: str, value: str, known: Any) -> Any:
    if value not in known:
        raise InvalidArgument(f"{what} is {value!r}; it must be one of {', '.join(known)}", reason="BAD_PARAMETER")
    return known[value]


def _set(message: Any, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None


def _time(message: Any, field: str) -> Optional[datetime.datetime]:
    if not message.HasField(field):
        return None
    stamp: datetime.datetime = getattr(message, field).ToDatetime()
    return stamp.replace(tzinfo=datetime.timezone.utc)
