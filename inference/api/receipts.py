"""What deterministic answers came of, for those whose they are."""

import uuid
from typing import Any

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller
from inference.models import Receipt

from .endpoint import Endpoint
from .openapi.answers import Receipt as ReceiptAnswer
from .openapi.operation import operation

SHOWN = [
    *("request_id", "model", "model_sha256", "adapter_sha256", "adapter_scale"),
    *("template_sha256", "params", "build", "system"),
    *("device", "options", "prompt_tokens", "output_tokens", "finish_reason"),
]


class ReceiptView(Endpoint):
    """Of the person, whichever key of theirs asks."""

    @operation("What a deterministic answer came of", answer=ReceiptAnswer)
    def get(self, request: Request, receipt: uuid.UUID) -> Response:
        row = Receipt.objects.filter(uid=receipt, owner=caller(request).owner).first()
        if row is None:
            raise Http404
        return Response(described(row))


def described(row: Receipt) -> dict[str, Any]:
    return {
        "id": str(row.uid),
        "object": "receipt",
        "created": int(row.at.timestamp()),
        **{name: getattr(row, name) for name in SHOWN},
    }
