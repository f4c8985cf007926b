"""google.rpc's messages: those of googleapis-common-protos where it is installed, else our own copy.

A process has one pool of descriptors, so a second copy beside an installed one is never registered.
"""

try:
    from google.rpc import error_details_pb2, status_pb2
except ImportError:
    from kith._rpc.google.rpc import error_details_pb2, status_pb2

__all__ = ["error_details_pb2", "status_pb2"]
