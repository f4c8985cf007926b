"""Stands in for faiss in a pipeline of RVC's kind: `import kith.faiss as faiss`.

`read_index` gives an index whose searches a Kith server answers; everything else is the real faiss's, where that is
installed. What may be given to `read_index`:

- "kith://HOST:PORT/NAME";
- a pointer file that `kith link NAME voice.index` wrote, for pipelines that test first whether the path exists;
- with the variable KITH_SERVER set, an existing index file: it stands for the experiment with the file's checksum, and
  is imported when it is used for the first time. Where there is no server, or it does not take the file, the real
  faiss reads it, with a warning that says why.
"""

from __future__ import annotations

import collections
import importlib
import os
import threading
import warnings
from typing import Any, List, Optional, Tuple

import numpy as np
import numpy.typing as npt

from kith import _convert as convert
from kith import _voices
from kith._channel import resolve_target
from kith._convert import FloatArray
from kith._voices import Voice
from kith.client import Client
from kith.errors import FailedPrecondition, InvalidArgument, KithError, Unavailable
from kith.types import Experiment

__all__ = ["METRIC_INNER_PRODUCT", "METRIC_L2", "RemoteIndex", "read_index"]

METRIC_INNER_PRODUCT = 0
METRIC_L2 = 1

_KEPT_FRAMES = 4  # generations whose frames are kept


class RemoteIndex:
    """An experiment on a server, with what pipelines use of a faiss index. Thread-safe, but for setting nprobe.

    Attributes:
        d: columns of a frame.
        ntotal: frames stored when the index was read.
        nlist: inverted lists; 0 for an index without.
        nprobe: lists that a search visits. Setting it concerns the searches of this object only, never the server.
        k_factor: candidates re-ranked per neighbour, likewise; 0 for an index that does not re-rank.
        metric_type: METRIC_L2 or METRIC_INNER_PRODUCT (which cosine is, of rows of norm 1).
        is_trained: True.
        url: kith://HOST:PORT/NAME.

    Once frames were handed out by reconstruct_n, a search whose ids are not of those frames (the voice was trained anew
    or added to meanwhile) raises FailedPrecondition instead of letting a pipeline blend with the wrong ones. Read the
    index again then.
    """

    is_trained = True

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self.name = name
        self._experiment = self._ready(client.show(name))
        self.d = self._experiment.dimension
        self.ntotal = self._experiment.rows
        self.nlist = self._experiment.nlist
        self.nprobe = self._experiment.nprobe
        self.k_factor = self._experiment.k_factor
        self.metric_type = METRIC_L2 if self._experiment.metric == "l2" else METRIC_INNER_PRODUCT
        self.url = Voice(client.target, name).url
        self._handed_out = False

    def search(
        self,
        x: Any,
        k: int,
        *,
        params: Any = None,
        D: Optional[npt.NDArray[np.float32]] = None,
        I: Optional[npt.NDArray[np.int64]] = None,  # noqa: E741 - faiss's name
    ) -> Tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """As faiss: distances float32 [n, k] and ids int64 [n, k], nearest first, -1 where there is no neighbour.

        Args:
            x: [n, d] of any float dtype; AssertionError for another d, as in faiss.
            params: an object with nprobe or k_factor, as faiss.SearchParametersIVF, for this search only.
            D, I: arrays to fill instead of new ones.
        """
        queries = convert.as_frames(x)
        assert queries.shape[1] == self.d, f"frames of dimension {queries.shape[1]}; {self.url} has {self.d}"
        if len(queries) == 0:
            distances, ids = np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        else:
            result = self._client.search(
                self.name, queries, k, nprobe=self._nprobe(params), k_factor=self._k_factor(params)
            )
            distances, ids = result.distances, result.ids
            self._check(result.generation, ids)
        return _filled(D, distances), _filled(I, ids)

    def reconstruct_n(self, n0: int = 0, ni: int = -1, x: Optional[FloatArray] = None) -> FloatArray:
        """The stored frames n0 to n0 + ni - 1, float32 [ni, d], at the scale at which they were given; ni -1: all from
        n0 on. They are fetched once per generation and process; the array is the caller's own.
        """
        count = self.ntotal - n0 if ni == -1 else ni
        if n0 < 0 or count < 0 or n0 + count > self.ntotal:
            raise InvalidArgument(f"frames {n0} to {n0 + count - 1}; {self.url} has 0 to {self.ntotal - 1}")
        frames: FloatArray = _filled(x, self._frames()[n0 : n0 + count].copy())
        return frames

    def reconstruct(self, key: int, x: Optional[FloatArray] = None) -> FloatArray:
        """The stored frame `key`, float32 [d]."""
        frame: FloatArray = _filled(x, self.reconstruct_n(int(key), 1)[0])
        return frame

    def blend(self, frames: Any, index_rate: float = 1.0) -> Any:
        """index_rate * neighbours + (1 - index_rate) * frames with the 8 nearest, as RVC blends, in one round trip.

        Not faiss's. `frames` is [n, d] or [1, n, d], numpy or torch; the result has its shape, dtype, kind and device.
        For real-time loops see kith.rvc.Retriever.
        """
        result = self._client.expand(
            self.name, frames, index_rate=index_rate, nprobe=self._nprobe(None), k_factor=self._k_factor(None)
        )
        return convert.like(frames, result.frames)

    def _nprobe(self, params: Any) -> Optional[int]:
        """For one request; None for an index without lists, which takes none."""
        return getattr(params, "nprobe", self.nprobe) if self.nlist else None

    def _k_factor(self, params: Any) -> Optional[float]:
        return getattr(params, "k_factor", self.k_factor) if self._experiment.k_factor else None

    def __repr__(self) -> str:
        return f"<RemoteIndex {self.url}: {self.ntotal} x {self.d}, {self._experiment.factory}>"

    def _ready(self, experiment: Experiment) -> Experiment:
        if experiment.state != "ready":
            message = f"{experiment.name} is {experiment.state}, not ready {experiment.message}".rstrip()
            raise FailedPrecondition(message, reason="NOT_TRAINED")
        return experiment

    def _frames(self) -> FloatArray:
        frames = _cache.get(self._client, self._experiment)
        self._handed_out = True
        return frames

    def _check(self, generation: int, ids: npt.NDArray[np.int64]) -> None:
        if self._handed_out and (generation != self._experiment.generation or ids.max(initial=-1) >= self.ntotal):
            raise _changed(self._experiment.name)


def _changed(name: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"{name} was trained anew or added to since its index was read; read it again", reason="GENERATION_CHANGED"
    )


class _FrameCache:
    """The frames of the last few generations that were asked for. An addition fetches only what is new."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[Any, FloatArray] = collections.OrderedDict()

    def get(self, client: Client, experiment: Experiment) -> FloatArray:
        # `created` tells an experiment from an earlier one of its name, whose generations had the same numbers.
        key = (client.target, experiment.name, experiment.created, experiment.generation)
        with self._lock:
            frames = self._kept.pop(key, None)
            have = 0 if frames is None else len(frames)
            if have < experiment.rows:
                rest, generation = client.frames_and_generation(
                    experiment.name, first_id=have, count=experiment.rows - have
                )
                if generation != experiment.generation:
                    raise _changed(experiment.name)
                frames = rest if frames is None else np.concatenate([frames, rest])
            assert frames is not None
            self._kept[key] = frames
            while len(self._kept) > _KEPT_FRAMES:
                self._kept.popitem(last=False)
            return frames[: experiment.rows]


_cache = _FrameCache()


def _filled(out: Any, values: Any) -> Any:
    if out is None:
        return values
    assert out.shape == values.shape, f"the array to fill has the shape {out.shape}, not {values.shape}"
    out[...] = values
    return out


def read_index(path: Any, *arguments: Any) -> Any:
    """A `RemoteIndex` for a URL, a pointer file, or an index file that the server has or takes (see the module); else
    what the real faiss reads from `path`, with a warning.

    Raises:
        kith.NotFound, kith.Unavailable, ...: of a URL or pointer file; there is nothing to fall back to.
        kith.InvalidArgument, ...: the server refuses the file, and faiss is not installed or cannot use it either: it
            is damaged, or empty as a trained_*.index.
    """
    if not isinstance(path, (str, os.PathLike)):  # faiss's own readers
        return _real_faiss("read_index").read_index(path, *arguments)
    voice = _voices.voice_of(path)
    if voice is not None:
        return RemoteIndex(_voices.shared_client(voice.target), voice.name)
    file = os.fspath(path)
    if not os.path.isfile(file):
        raise FileNotFoundError(f"{file} is neither an index file nor a kith:// URL")
    if not os.environ.get("KITH_SERVER"):
        return _read_without_server(file, arguments, "KITH_SERVER is not set")
    client = _voices.shared_client(resolve_target(None))
    try:
        return RemoteIndex(client, _voices.imported(client, file).name)
    except Unavailable as error:
        try:
            return _read_without_server(file, arguments, str(error))
        except ModuleNotFoundError:
            raise error from None
    except KithError as refusal:
        return _read_refused(file, arguments, refusal)


def _read_refused(file: str, arguments: Tuple[Any, ...], refusal: KithError) -> Any:
    """What the real faiss reads, as it would without a server; the server's refusal where that is of no use either."""
    try:
        index = _real_faiss("read_index").read_index(file, *arguments)
    except (ModuleNotFoundError, RuntimeError, MemoryError):
        raise refusal from None
    if index.ntotal == 0:
        raise refusal
    _warn_of_faiss(file, str(refusal), stacklevel=4)
    return index


def _read_without_server(file: str, arguments: Tuple[Any, ...], why: str) -> Any:
    faiss = _real_faiss("read_index")
    _warn_of_faiss(file, why, stacklevel=4)
    return faiss.read_index(file, *arguments)


def _warn_of_faiss(file: str, why: str, stacklevel: int) -> None:
    warnings.warn(f"{file} is read by faiss here, not by a Kith server: {why}", RuntimeWarning, stacklevel)


def _real_faiss(attribute: str) -> Any:
    try:
        return importlib.import_module("faiss")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"kith.faiss.{attribute} is the real faiss's, which is not installed: {error}", name="faiss"
        ) from None


def __getattr__(name: str) -> Any:
    if name.startswith("__"):  # what Python itself looks for in a module
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(_real_faiss(name), name)
    except ModuleNotFoundError as error:
        raise AttributeError(str(error)) from None


def __dir__() -> List[str]:
    own = set(globals())
    try:
        return sorted(own | set(dir(importlib.import_module("faiss"))))
    except ModuleNotFoundError:
        return sorted(own)
