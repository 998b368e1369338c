"""The model on llama.cpp. The only package that imports `llama_cpp`."""

from .backend import LlamaBackend

__all__ = ["LlamaBackend"]
