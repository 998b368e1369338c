"""Answers in the older dialect, by themselves or in a session."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from channels.db import database_sync_to_async

from chat import sessions
from chat.listening import Admitted, Hearing
from chat.sessions import Question
from chat.turns import Turn
from chat.writer import begin
from inference import admission
from inference.admission import Asker
from inference.api.legacy import Pieces
from inference.api.legacy_bodies import SYSTEM_PROMPT, LegacyChat
from inference.api.refusals import ApiError
from inference.recording import Recorder

PARAMETERS = ("max_tokens", "temperature", "top_p", "top_k", "repeat_penalty", "stop")


@dataclass(frozen=True, slots=True)
class Answer:
    """One under way; nothing is `admitted` if it was stopped while it waited."""

    pieces: Pieces
    admitted: Admitted | None


async def answered(asker: Asker, body: LegacyChat, recorder: Recorder) -> Answer:
    """Queue the request, in its session if it has one; all refusals are raised here.

    A session's answer goes on when nobody reads it, any other is cancelled by then.
    """
    if body.session_id is not None:
        return await _in_session(asker, body, body.session_id, recorder)
    messages = body.all_messages()
    reply = await admission.generate(
        asker, body.model_name, body.params(), on_end=recorder.observe, messages=messages
    )
    return Answer(reply, Admitted(reply, len(messages)))


async def _in_session(
    asker: Asker, body: LegacyChat, session_id: str, recorder: Recorder
) -> Answer:
    if body.messages:
        raise ApiError("messages: a session has its own", param="messages")
    parameters = _parameters(body)
    model = await admission.allowed_model(asker.caller, body.model_name)
    question = Question(
        session_id,
        body.text(),
        model.slug,
        parameters,
        default_system_prompt=SYSTEM_PROMPT,
        system_prompt=body.own_system_prompt(),
    )

    async def store(channel: str) -> Turn:
        return await database_sync_to_async(sessions.say)(question, asker.caller, channel)

    hearing = Hearing()
    turn = await begin(store, asker, recorder.observe, hearing)
    admitted = await hearing.admission(partial(database_sync_to_async(sessions.take_back), turn))
    await database_sync_to_async(sessions.make_room)(turn.conversation)
    return Answer(hearing, admitted)


def _parameters(body: LegacyChat) -> dict[str, Any]:
    """As a conversation keeps them."""
    params = body.params()
    return {name: getattr(params, name) for name in PARAMETERS} | {"stop": body.stop}
