"""Embeddings as OpenAI has them, and rankings as Jina and Cohere have them."""

import base64
import struct
import uuid
from typing import Any

import msgspec
from django.http import HttpResponse, HttpResponseBase
from rest_framework.request import Request

from inference import admission
from inference.admission import VectorReply

from .body import checked
from .embedding_bodies import EmbeddingRequest, RerankRequest
from .endpoint import LimitedEndpoint, tightest
from .headers import header_list
from .idempotency import OPENAIS, idempotent
from .openapi.answers import Embeddings, Ranking
from .openapi.operation import operation


class VectorsEndpoint(LimitedEndpoint):
    endpoint = "embeddings"
    reply: VectorReply | None = None  # set once it has been admitted

    async def ask(
        self, request: Request, body: EmbeddingRequest | RerankRequest, param: str
    ) -> VectorReply:
        """Queue it. All refusals are raised here."""
        reply = await admission.embed(self.asker(request), body.model, param=param, **body.inputs())
        self.reply = reply
        return reply

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        for name, value in tightest([self.reply] if self.reply else []).items():
            response[name] = value
        return super().finalize_response(request, response, *args, **kwargs)


class EmbeddingsView(VectorsEndpoint):
    @operation(
        "The vectors of texts",
        body=EmbeddingRequest,
        example={"model": "bge-small", "input": ["a text", "another"]},
        answer=Embeddings,
    )
    @idempotent(OPENAIS)
    async def post(self, request: Request) -> HttpResponseBase:
        body = checked(EmbeddingRequest, request.data)
        ignored = body.ignored_params()
        reply = await self.ask(request, body, "input")
        encode = _base64 if body.encoding_format == "base64" else numbers
        data = [
            {"object": "embedding", "index": index, "embedding": encode(vector)}
            for index, vector in enumerate(await reply.read())
        ]
        return _answer({"object": "list", "data": data, **_tail(reply)}, ignored)


class RerankView(VectorsEndpoint):
    @operation(
        "Which documents answer a query",
        body=RerankRequest,
        example={"model": "reranker", "query": "a bee", "documents": ["An insect.", "A car."]},
        answer=Ranking,
    )
    @idempotent(OPENAIS)
    async def post(self, request: Request) -> HttpResponseBase:
        body = checked(RerankRequest, request.data)
        ignored = body.ignored_params()
        reply = await self.ask(request, body, "documents")
        scores = [numbers(vector)[0] for vector in await reply.read()]
        results = _results(scores, body)
        return _answer(
            {"id": f"rerank-{uuid.uuid4().hex}", "results": results, **_tail(reply)}, ignored
        )


def _results(scores: list[float], body: RerankRequest) -> list[dict[str, Any]]:
    """The most relevant first; of equals, the one that came first."""
    best = sorted(range(len(scores)), key=lambda index: -scores[index])[: body.top_n]
    results: list[dict[str, Any]] = [
        {"index": index, "relevance_score": scores[index]} for index in best
    ]
    if body.return_documents:
        texts = body.texts()
        for result in results:
            result["document"] = {"text": texts[result["index"]]}
    return results


def numbers(vector: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode()


def _tail(reply: VectorReply) -> dict[str, Any]:
    tokens = reply.prompt_tokens
    return {"model": reply.model.slug, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def _answer(body: dict[str, Any], ignored: list[str]) -> HttpResponse:
    """Encoded by msgspec: REST framework's renderer takes seconds for some million numbers."""
    response = HttpResponse(msgspec.json.encode(body), content_type="application/json")
    if ignored:
        response["x-ignored-params"] = header_list(ignored)
    return response
