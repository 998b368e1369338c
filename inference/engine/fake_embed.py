"""A model that needs no weights and makes vectors: texts that share words are near each other.

The words `crash` and `fail` do what they do in `fake`.
"""

import collections.abc
import hashlib
import os
import time
from typing import Any

import msgspec
import numpy as np

from .config import EngineConfig
from .errors import DecodeFailed
from .fake import FakeBackend

LENGTH = 8
BETWEEN = ""  # a query and a document: the one token that is special


class FakeEmbedBackend(FakeBackend):
    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        length = LENGTH if config.task == "embed" else 1
        self.info = msgspec.structs.replace(self.info, embedding_length=length)
        self.steps: list[list[list[int]]] = []

    def pair(self, query: str, document: str) -> list[int]:
        return [*self.tokenize(query), self._token(BETWEEN), *self.tokenize(document)]

    def embed(self, inputs: collections.abc.Sequence[list[int]]) -> list[np.ndarray[Any, Any]]:
        self.steps.append([*inputs])
        time.sleep(self.config.fake_step_seconds)
        texts = [[self.words[token] for token in tokens] for tokens in inputs]
        said = {word for words in texts for word in words}
        if "crash" in said:
            os._exit(1)
        if "fail" in said:
            raise DecodeFailed("the model was told to fail")
        make = _sum if self.config.task == "embed" else _relevance
        return [make(words) for words in texts]


def _sum(words: list[str]) -> np.ndarray[Any, Any]:
    """Of a vector for each word, which its hash makes."""
    digests = b"".join(hashlib.sha256(word.encode()).digest()[:LENGTH] for word in words)
    vectors = np.frombuffer(digests, np.int8).reshape(-1, LENGTH)
    total: np.ndarray[Any, Any] = vectors.sum(axis=0, dtype=np.float32)
    return total


def _relevance(words: list[str]) -> np.ndarray[Any, Any]:
    """The part of the query's words that the document has."""
    middle = words.index(BETWEEN)
    query, document = {*words[:middle]}, {*words[middle:]}
    return np.array([len(query & document) / len(query)], np.float32)
