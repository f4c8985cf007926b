#!/usr/bin/python3
"""Expand of kith.v1 as a plain Python server: grpcio, faiss and RVC's blend in numpy, as one would write it in an hour.

Usage: bench/peers/server.py STUBS INDEX FRAMES.npy [--threads N]

Knows one voice, whatever it is called, and RVC's default weighting only. STUBS is where run.py generated the messages.
Prints "listening on HOST:PORT" once it serves.
"""
import argparse
import pathlib
import sys
from concurrent import futures

import faiss
import google
import grpc
import numpy as np

from blend import Voice

arguments = argparse.ArgumentParser()
arguments.add_argument("stubs", type=pathlib.Path)
arguments.add_argument("index")
arguments.add_argument("frames")
arguments.add_argument("--threads", type=int, help="of faiss; unset: its own choice")
arguments.add_argument("--workers", type=int, default=10, help="of grpcio; a stream that is open takes one")
chosen = arguments.parse_args()

sys.path.insert(0, str(chosen.stubs))
google.__path__.append(str(chosen.stubs / "google"))  # google.rpc, beside the protobuf package
from kith.v1 import retrieval_pb2, retrieval_pb2_grpc  # noqa: E402


class Retrieval(retrieval_pb2_grpc.RetrievalServicer):
    def __init__(self, voice):
        self.voice = voice

    def blend(self, batch, answer):
        rows = np.frombuffer(batch.raw, dtype=np.float32).reshape(-1, batch.dimension)
        answer.dimension = batch.dimension
        answer.raw = self.voice.blend(rows).astype(np.float32).tobytes()

    def Expand(self, request, context):
        answer = retrieval_pb2.ExpandResponse()
        self.blend(request.frames, answer.frames)
        return answer

    def StreamExpand(self, requests, context):
        for request in requests:
            answer = retrieval_pb2.StreamExpandResponse(sequence=request.sequence)
            self.blend(request.frames, answer.frames)
            yield answer


def main():
    if chosen.threads:
        faiss.omp_set_num_threads(chosen.threads)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=chosen.workers))
    retrieval_pb2_grpc.add_RetrievalServicer_to_server(Retrieval(Voice(chosen.index, chosen.frames)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


main()
