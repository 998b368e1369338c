"""Probes: does the process live, and can it answer?"""

import logging
import math
import time
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.core.cache import cache
from django.db import DatabaseError
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.response import Response

from inference import metrics
from inference.models import LanguageModel

from .endpoint import Endpoint
from .errors import RETRY_AFTER_SECONDS
from .openapi.older import Health, Readiness
from .openapi.operation import operation

logger = logging.getLogger(__name__)

STARTED = time.monotonic()


class ProbeView(Endpoint):
    """Open to anybody: it tells nothing about anyone."""

    authentication_classes: ClassVar[list[Any]] = []
    permission_classes: ClassVar[list[Any]] = []
    is_silent = True


class HealthView(ProbeView):
    @operation("Whether the process lives", answer=Health)
    async def get(self, request: Request) -> Response:
        metrics.HEALTH_CHECKS.inc()
        uptime = round(time.monotonic() - STARTED, 3)
        return Response({"status": "ok", "uptime": uptime, "timestamp": now()})


class ReadinessView(ProbeView):
    error_body = Readiness

    @operation("Whether it can answer", answer=Readiness)
    async def get(self, request: Request) -> Response:
        metrics.READINESS_CHECKS.inc()
        try:
            num_models = await LanguageModel.objects.routable().acount()
        except DatabaseError as error:
            logger.error("the database does not answer: %s", error)
            return self._unready("the database does not answer")
        try:
            await cache.aget("readiness")
        except RedisError as error:
            logger.error("the cache does not answer: %s", error)
            return self._unready("the cache does not answer")
        if not num_models:
            return self._unready("no model is enabled and fetched")
        return Response({"status": "ready", "models_available": num_models, "timestamp": now()})

    def _unready(self, reason: str) -> Response:
        body = {"status": "not ready", "models_available": 0, "timestamp": now()}
        headers = {"Retry-After": str(math.ceil(RETRY_AFTER_SECONDS))}
        return Response({**body, "reason": reason}, status=503, headers=headers)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
