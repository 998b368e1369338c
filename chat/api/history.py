"""A caller's own sessions: which there are, what was said, and taking it back."""

from channels.db import database_sync_to_async
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller
from chat import sessions
from inference import metrics
from inference.api.body import checked
from inference.api.legacy import LegacyView


class SessionsView(LegacyView):
    endpoint = "chat"

    def get(self, request: Request) -> Response:
        return Response(sessions.ids_of(caller(request).owner))


class HistoryView(LegacyView):
    """What is somebody else's is not there."""

    endpoint = "chat"

    async def get(self, request: Request, session_id: str) -> Response:
        metrics.HISTORY_REQUESTS.inc()
        history = database_sync_to_async(sessions.history)
        return Response(await history(session_id, caller(request).owner))

    async def delete(self, request: Request, session_id: str) -> Response:
        delete = database_sync_to_async(sessions.delete)
        await delete(session_id, caller(request).owner)
        return Response(status=204)


class Rollback(BaseModel):
    model_config = ConfigDict(strict=True)

    amount: int = Field(1, ge=1)


class RollbackView(LegacyView):
    endpoint = "chat"

    def post(self, request: Request, session_id: str) -> Response:
        amount = checked(Rollback, request.data).amount
        sessions.roll_back(session_id, caller(request).owner, amount)
        return Response({"status": "ok"})
