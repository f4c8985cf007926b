"""What the client speaks of: recipes, experiments, results. Plain values; arrays are numpy's."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from kith.errors import KithError

__all__ = [
    "AddResult",
    "BackupResult",
    "Block",
    "Compression",
    "Expansion",
    "Experiment",
    "ExpandResult",
    "ExportResult",
    "Generation",
    "LeftOut",
    "Progress",
    "Recipe",
    "SearchResult",
]


@dataclass(frozen=True)
class Compression:
    """Mini-batch k-means before the index is built: the centres replace the frames."""

    centres: int  #: rows that are left; 1 to the number of frames
    batch_size: Optional[int] = None  #: rows a step; None: 256 x the server's training threads
    iterations: Optional[int] = None  #: passes over the frames at most; None: 100


@dataclass(frozen=True)
class Expansion:
    """Alpha expansion of the stored frames before the index is built, after Compression."""

    neighbors: int  #: stored frames averaged into each, itself included; 1 to the number of frames
    alpha: Optional[float] = None  #: weights are max(0, cosine)^alpha; 0 or more; None: 3
    unit_norm: bool = False  #: rows of norm 1 instead of each row's own norm


@dataclass(frozen=True)
class Recipe:
    """How an index is made. Empty: the recipe "auto". What is None is the recipe's own."""

    name: str = ""  #: "auto", "rvc", "rvc-2023" or "fastscan"
    factory: str = ""  #: a faiss factory string; excludes `name`
    metric: str = "l2"  #: "l2", "inner-product" or "cosine"
    nprobe: Optional[int] = None  #: default for searches, 1 or more
    k_factor: Optional[float] = None  #: candidates re-ranked per neighbour, 1 to 1024; None: 4
    seed: Optional[int] = None  #: of everything random in the training; None: 1234
    compression: Optional[Compression] = None
    expansion: Optional[Expansion] = None


@dataclass(frozen=True)
class Experiment:
    """One voice and what stands of it on the server; the fields are those of kith.v1.Experiment."""

    name: str
    state: str  #: "training" (its first), "ready", "degraded" (an earlier generation serves), "failed" or "unknown"
    message: str  #: degraded and failed: what happened
    training: bool  #: a training is under way
    rows: int  #: frames stored, additions included (faiss's ntotal)
    dimension: int
    metric: str  #: "l2", "inner-product" or "cosine"
    recipe: str  #: empty with an explicit factory, and after an import
    factory: str
    nlist: int  #: inverted lists; 0 for an index without
    nprobe: int  #: default; 0 for an index without lists
    k_factor: float  #: default; 0 for an index that does not re-rank
    seed: int
    generation: int  #: the number of trainings; additions do not change it
    recall_at_8: float
    bytes: int  #: in memory; 0 where it is not there now
    resident: bool  #: in memory now; otherwise its next use loads it
    created: Optional[datetime.datetime]  #: first training finished, UTC
    updated: Optional[datetime.datetime]  #: last training or addition, UTC
    compression: Optional[Compression]
    expansion: Optional[Expansion]
    source_sha256: str  #: of the index file that was imported, lower-case hex; empty: it was trained
    disk_bytes: int  #: of the snapshots of all generations that are kept
    pinned: bool  #: stays in memory, whoever else needs room
    last_used: Optional[datetime.datetime]  #: by a search or an addition, UTC; None: not since the server started


@dataclass(frozen=True)
class Generation:
    """A trained result of an experiment that is kept; the fields are those of kith.v1.Generation."""

    number: int
    current: bool  #: the one that is served
    message: str  #: not empty: it cannot be read, and why
    rows: int  #: additions to it included
    dimension: int
    recipe: Recipe
    factory: str  #: what was built
    nlist: int
    nprobe: int
    recall_at_8: float
    disk_bytes: int  #: of its snapshot
    created: Optional[datetime.datetime]  #: UTC
    updated: Optional[datetime.datetime]  #: its training, or the last addition to it, UTC


@dataclass(frozen=True)
class Progress:
    """A step of a training or an import."""

    phase: str  #: "receiving", "queued", "checking", "compressing", "expanding", "training", "adding", ..., "done"
    done: int  #: rows, iterations, steps or bytes of this phase
    total: int  #: 0: not known


@dataclass(frozen=True)
class AddResult:
    first_id: int  #: the frames sent have the ids first_id to first_id + rows - 1
    rows: int
    total_rows: int  #: stored now
    generation: int


@dataclass(frozen=True)
class SearchResult:
    ids: npt.NDArray[np.int64]  #: [n, k], nearest first; -1 where there is no neighbour
    distances: npt.NDArray[np.float32]  #: [n, k], as faiss's: squared L2, inner product, or cosine
    generation: int


@dataclass(frozen=True)
class ExpandResult:
    frames: npt.NDArray[np.float32]  #: [n, d], the shape of the request
    passthrough_rows: int  #: rows without any neighbour, given back unchanged
    generation: int


@dataclass(frozen=True)
class ExportResult:
    path: str  #: the file written
    bytes: int
    generation: int


@dataclass(frozen=True)
class LeftOut:
    """What is damaged on the server, and so is not in a backup."""

    experiment: str
    generation: int  #: 0: all of the experiment
    message: str  #: what is damaged


@dataclass(frozen=True)
class BackupResult:
    experiments: int
    generations: int
    bytes: int  #: of the tar
    left_out: Tuple[LeftOut, ...] = ()  #: empty: it holds all there is


@dataclass(frozen=True)
class Histogram:
    """What the server observed since its start; the fields are those of kith.v1.Histogram."""

    name: str  #: of the metric
    bounds: Tuple[float, ...]  #: ascending
    counts: Tuple[int, ...]  #: of the values up to each bound and above the one before; the last: above all of them
    sum: float  #: of the values
    count: int  #: of the values


@dataclass(frozen=True)
class ServerInfo:
    """What a server is and holds; the fields are those of kith.v1.GetServerInfoResponse."""

    version: str
    faiss: str  #: its version
    instruction_set: str  #: that faiss was compiled for
    blas: str
    search_threads: int
    started: Optional[datetime.datetime]  #: UTC
    memory_budget_bytes: int
    memory_reserved_bytes: int  #: of the budget
    experiments: int
    resident_experiments: int  #: in memory now
    histograms: Tuple[Histogram, ...]  #: where the time of the blocks went, see the .proto file
    log_level: str  #: the least that it logs: "trace", "debug", "info", "warn" or "error"


@dataclass(frozen=True)
class Block:
    """The answer to one block of a stream: exactly one of `result` and `error` is there."""

    sequence: int  #: as given to write()
    result: Union[ExpandResult, SearchResult, None]  #: SearchResult from a stream of searches
    error: Optional[KithError]  #: of this block alone; DeadlineExceeded with reason LATE: its budget was over
