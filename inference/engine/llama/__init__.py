"""The model on llama.cpp. The only package that imports `llama_cpp`."""

from .backend import LlamaBackend
from .embedding import LlamaEmbedBackend

__all__ = ["LlamaBackend", "LlamaEmbedBackend"]
