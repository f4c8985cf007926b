"""What a name, a kith:// URL, a pointer file or an .index file stands for: an experiment on a server."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import threading
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Union

from kith._channel import resolve_target
from kith._convert import percent_encoded
from kith.client import Client
from kith.errors import Aborted, InvalidArgument, NotFound
from kith.types import Experiment

SCHEME = "kith://"
LINK_HEADER = "kith link 1"  # the first line of a pointer file (`kith link`); the second one is the URL
LINK_BYTES = 4096
POLL = 0.2  # seconds between two looks at an import of another process

PathLike = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Voice:
    """An experiment on a server."""

    target: str
    name: str

    @property
    def url(self) -> str:
        return f"{SCHEME}{self.target}/{percent_encoded(self.name)}"


def parse_url(url: str) -> Voice:
    """kith://HOST:PORT/NAME, the name percent-encoded where it has to be."""
    target, slash, name = url[len(SCHEME) :].strip().partition("/")
    name = urllib.parse.unquote(name)
    if not url.startswith(SCHEME) or not slash or not target or not name:
        raise InvalidArgument(f"{url!r} is no kith URL; it must be kith://HOST:PORT/NAME", reason="BAD_PARAMETER")
    return Voice(resolve_target(target), name)


def read_link(path: PathLike) -> Optional[Voice]:
    """What the pointer file `path` points at; None where it is no pointer file, or no file at all."""
    try:
        with open(path, "rb") as file:
            head = file.read(LINK_BYTES)
    except OSError:
        return None
    if head.split(b"\n", 1)[0].rstrip(b"\r") != LINK_HEADER.encode():
        return None
    lines = head.decode("utf-8", "replace").split("\n")
    if len(lines) < 2:
        raise InvalidArgument(f"{os.fspath(path)} is a damaged kith link; make it again with: kith link NAME FILE")
    return parse_url(lines[1].strip())


def voice_of(reference: PathLike) -> Optional[Voice]:
    """The voice that a URL or a pointer file names; None for anything else."""
    text = os.fspath(reference)
    return parse_url(text) if text.startswith(SCHEME) else read_link(text)


_clients: Dict[str, Client] = {}
_clients_lock = threading.Lock()


def shared_client(target: str) -> Client:
    """One client per server for the whole process, so that reading an index again does not connect again."""
    with _clients_lock:
        if target not in _clients:
            _clients[target] = Client(target)
        return _clients[target]


def name_for(path: PathLike, checksum: str) -> str:
    """The name of an imported file: the voice's as RVC puts it into the file name, and the start of the checksum, so
    that it never takes the place of another voice.
    """
    stem = Path(path).stem
    found = re.fullmatch(r"(?:added|trained)_.*?_nprobe_\d+_(.+?)(?:_v[12])?", stem)
    voice = re.sub(r"[\x00-\x1f\x7f-\x9f/]", "_", found.group(1) if found else stem)
    while len(voice.encode("utf-8", "replace")) > 100:
        voice = voice[:-1]
    return f"{voice}-{checksum[:8]}"


def checksum_of(path: PathLike) -> str:
    """SHA-256, lower-case hex; computed once for a file that does not change."""
    stat = os.stat(path)
    return _checksum(os.path.realpath(path), stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _checksum(path: str, size: int, changed_ns: int) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def imported(client: Client, path: PathLike) -> Voice:
    """The experiment that was imported from the index file `path`, or one with its checksum; imports it where there is
    none. Two processes that do so at once end with the same one.
    """
    checksum = checksum_of(path)
    for experiment in client.list():
        if _stands_for(experiment, checksum):
            return Voice(client.target, experiment.name)
    name = name_for(path, checksum)
    while True:
        try:
            client.import_index(name, path)
        except Aborted as error:
            if error.reason != "TRAINING_IN_PROGRESS":
                raise
            if not _wait_for_the_other(client, name, checksum):
                continue  # its import failed, and so it is ours to do
        return Voice(client.target, name)


def _wait_for_the_other(client: Client, name: str, checksum: str) -> bool:
    pause = threading.Event()
    while True:
        try:
            experiment = client.show(name)
        except NotFound:
            return False
        if not experiment.training and experiment.state != "training":
            return _stands_for(experiment, checksum)
        pause.wait(POLL)


def _stands_for(experiment: Experiment, checksum: str) -> bool:
    # The checksum is that of the generation which serves; a degraded experiment serves an earlier one.
    return experiment.state in ("ready", "degraded") and experiment.source_sha256 == checksum
