"""Client of Kith, the nearest-neighbour server for retrieval-based voice conversion.

    import kith

    with kith.Client("127.0.0.1:50051") as client:
        client.train("my-voice", "logs/my-voice/3_feature768")
        blended = client.expand("my-voice", frames, index_rate=0.75).frames

`kith.aio.Client` is its asyncio twin, `kith.faiss` stands in for faiss in a pipeline, `kith.rvc.Retriever` is for
real-time loops.
"""

from kith import aio
from kith.client import Client
from kith.errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    KithError,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from kith.streams import BlockStream
from kith.types import (
    AddResult,
    BackupResult,
    Block,
    Compression,
    ExpandResult,
    Expansion,
    Experiment,
    ExportResult,
    Generation,
    Histogram,
    LeftOut,
    Progress,
    Recipe,
    SearchResult,
    ServerInfo,
)

__version__ = "0.1.0"

__all__ = [
    "Aborted",
    "AddResult",
    "AlreadyExists",
    "BackupResult",
    "Block",
    "BlockStream",
    "Cancelled",
    "Client",
    "Compression",
    "DataLoss",
    "DeadlineExceeded",
    "ExpandResult",
    "Expansion",
    "Experiment",
    "ExportResult",
    "FailedPrecondition",
    "Generation",
    "Histogram",
    "Internal",
    "InvalidArgument",
    "KithError",
    "LeftOut",
    "NotFound",
    "PermissionDenied",
    "Progress",
    "Recipe",
    "ResourceExhausted",
    "SearchResult",
    "ServerInfo",
    "Unauthenticated",
    "Unavailable",
    "aio",
]
