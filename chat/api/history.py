"""A caller's own sessions: which there are, what was said, and taking it back."""

from channels.db import database_sync_to_async
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller
from chat import sessions
from chat.errors import ConversationBusy
from chat.unwritten import give_up_unwritten
from inference import metrics
from inference.api.body import checked
from inference.api.legacy import LegacyView
from inference.api.openapi.older import SESSIONS, History, RolledBack
from inference.api.openapi.operation import operation


class SessionsView(LegacyView):
    endpoint = "chat"

    @operation("The caller's own sessions", answer=SESSIONS)
    def get(self, request: Request) -> Response:
        return Response(sessions.ids_of(caller(request).owner))


class HistoryView(LegacyView):
    """What is somebody else's is not there."""

    endpoint = "chat"

    @operation("What was said in a session", answer=History)
    async def get(self, request: Request, session_id: str) -> Response:
        metrics.HISTORY_REQUESTS.inc()
        history = database_sync_to_async(sessions.history)
        return Response(await history(session_id, caller(request).owner))

    @operation("End a session", status=204)
    async def delete(self, request: Request, session_id: str) -> Response:
        delete = database_sync_to_async(sessions.delete)
        await delete(session_id, caller(request).owner)
        return Response(status=204)


class Rollback(BaseModel):
    model_config = ConfigDict(strict=True)

    amount: int = Field(1, ge=1)


class RollbackView(LegacyView):
    endpoint = "chat"

    @operation(
        "Take back turns", body=Rollback, example={"amount": 1}, answer=RolledBack, errors=(409,)
    )
    async def post(self, request: Request, session_id: str) -> Response:
        amount = checked(Rollback, request.data).amount
        roll_back = database_sync_to_async(sessions.roll_back)
        asked = session_id, caller(request).owner, amount
        try:
            await roll_back(*asked)
        except ConversationBusy as busy:
            if not await give_up_unwritten(busy.conversation_id):
                raise
            await roll_back(*asked)
        return Response({"status": "ok"})
