"""The messages and stubs of `kith.v1`, generated from proto/kith/v1 when the package is built."""
