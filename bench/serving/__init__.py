"""Compares this service with other servers of the same GGUF: `make bench`."""
