"""REST_FRAMEWORK["DEFAULT_SCHEMA_CLASS"]: from a view to its operations in the schema."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from .components import Schema, operation_id, reference
from .errors import MEANINGS, Error
from .operation import EVENTS, JSON, Operation

REQUEST_ID = OpenApiParameter(
    "x-request-id", str, OpenApiParameter.HEADER, response=True, description="Names the request."
)
RETRY_AFTER = OpenApiParameter(
    "Retry-After", int, OpenApiParameter.HEADER, response=[429, 503], description="Seconds."
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[ -~]{1,255}$"},
    OpenApiParameter.HEADER,
    description="The same key, path and body get the same answer, computed once.",
)
TAGS = {  # by the longest beginning of a path
    "/": "Older dialect",
    "/v1/": "OpenAI",
    "/v1/messages": "Anthropic",
    "/v1/admin/": "Registry",
    "/health": "Probes",
    "/readiness": "Probes",
    "/metrics": "Probes",
}


class Inspector(AutoSchema):
    """Reads the `operation` of a view's method; what all views share it knows by itself."""

    @property
    def operation(self) -> Operation:
        """
        Raises:
            LookupError: nobody has said what the method answers.
        """
        found = getattr(self._handler, "operation", None)
        if found is None:
            raise LookupError(f"{self.method} {self.path}: its view has no @operation")
        return found

    @property
    def _handler(self) -> Any:
        return getattr(self.view, self.method.lower())

    @property
    def _is_idempotent(self) -> bool:
        return self.operation.is_idempotent or getattr(self._handler, "is_idempotent", False)

    def get_operation_id(self) -> str:
        return operation_id(self.method, self.path)

    def get_summary(self) -> str:
        return self.operation.summary

    def get_tags(self) -> list[str]:
        return [TAGS[max(filter(self.path.startswith, TAGS), key=len)]]

    def get_auth(self) -> list[dict[str, list[Any]]]:
        """One of the ways to send a key; none, where the service does not ask for keys."""
        has_key = bool(self.view.authentication_classes)
        return [{"bearer": []}, {"x-api-key": []}, {}] if has_key else []

    def get_override_parameters(self) -> list[Any]:
        query = [
            OpenApiParameter(name, schema, OpenApiParameter.QUERY)
            for name, schema in self.operation.query.items()
        ]
        keys = [IDEMPOTENCY_KEY] if self._is_idempotent else []
        return [*query, *keys, REQUEST_ID, RETRY_AFTER]

    def get_request_serializer(self) -> Any:
        body = self.operation.body
        if body is None:
            return None
        models = body if isinstance(body, tuple) else (body,)
        refs = [reference(model, is_body=True) for model in models]
        return {JSON: refs[0] if len(refs) == 1 else {"anyOf": refs}}

    def _get_request_body(self, direction: Any = "request") -> Any:
        if self.operation.body is None:
            return None
        made = super()._get_request_body(direction)
        made["content"][JSON]["example"] = self.operation.example
        return {**made, "required": True}

    def get_response_serializers(self) -> Any:
        own = self.operation
        answers: dict[Any, Any] = {}
        if own.answer is not None or own.events is None:
            answers[own.status, own.media_type] = _schema(own.answer)
        if own.events is not None:
            answers[own.status, EVENTS] = _schema(own.events)
        error = _schema(getattr(self.view, "error_body", Error))
        return answers | {(status, JSON): error for status in self._errors()}

    def _errors(self) -> list[int]:
        view, own = self.view, self.operation
        found = {500, 503, *own.errors}
        if view.authentication_classes:
            found |= {401, 403, 429}
        if own.body or own.query or self._is_idempotent:
            found |= {400}
        if own.body:
            found |= {413}
        if "{" in self.path or own.body:
            found |= {404}
        if self._is_idempotent:
            found |= {409}
        return sorted(found - {own.status})

    def _get_response_for_code(
        self,
        serializer: Any,
        status_code: str,
        media_types: Any = None,
        direction: Any = "response",
    ) -> Any:
        found = super()._get_response_for_code(serializer, status_code, media_types, direction)
        return {**found, "description": MEANINGS.get(int(status_code), "The answer")}


def _schema(what: Any) -> Schema | None:
    return reference(what) if isinstance(what, type) else what
