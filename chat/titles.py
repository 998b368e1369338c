"""What a conversation is called, in the words of its model."""

import logging
import re
from dataclasses import replace

from channels.db import database_sync_to_async

from accounts.errors import Refusal
from inference import admission
from inference.admission import Asker
from inference.runtime import EngineError, SamplingParams
from inference.thinking import split_thinking

from . import groups
from .models import Conversation, Message
from .turns import first_title

logger = logging.getLogger(__name__)

ASKED = "Write a title of at most six words for this conversation, and nothing else."
MAX_READ = 1000  # characters of each message
MAX_LENGTH = 60
PARAMS = SamplingParams(temperature=0.2, max_tokens=24, stop=("\n\n",))
NO_THINKING = {"enable_thinking": False}

DECORATION = " \t\"'“”‘’«»*_#`.:"
LABEL = re.compile(r"^\W*title\W*:\s*", re.IGNORECASE)


async def find_title(question: Message, answer: Message, asker: Asker) -> None:
    """Ask the model, once it has answered for the first time; without one the old one stays.

    Sessions of the older dialect are shown nowhere, and get none.
    """
    first = first_title(question.text)
    if question.parent_id or not answer.text or answer.conversation.title != first:
        return
    if answer.conversation.session_id:
        return
    try:
        title = await _asked(question.text, answer, replace(asker, is_aside=True))
    except (EngineError, Refusal) as error:
        logger.info("no title: %s", error)
        return
    except Exception:
        logger.exception("no title")
        return
    untitled = Conversation.objects.filter(
        pk=answer.conversation_id, is_title_given=False, title=first
    )
    if title and await database_sync_to_async(untitled.update)(title=title):
        answer.conversation.title = title
        await tell_title(answer.conversation)


async def tell_title(conversation: Conversation) -> None:
    """To all sockets of whoever it belongs to."""
    await groups.tell(groups.of_owner(conversation.owner), title_frame(conversation))


def title_frame(conversation: Conversation) -> dict[str, str]:
    return {"type": "title", "conversation": conversation.uid.hex, "title": conversation.title}


async def _asked(question: str, answer: Message, asker: Asker) -> str:
    talk = f"Question: {question[:MAX_READ]}\n\nAnswer: {answer.text[:MAX_READ]}"
    reply = await admission.generate(
        asker,
        answer.model,
        PARAMS,
        messages=[{"role": "user", "content": f"{ASKED}\n\n{talk}"}],
        template_options=NO_THINKING,
    )
    return cleaned(split_thinking("".join([piece.text async for piece in reply]))[1])


def cleaned(text: str) -> str:
    """The title without what models put around one; empty if there is nothing to show."""
    line = next(filter(None, map(str.strip, text.splitlines())), "")
    title = LABEL.sub("", line).strip(DECORATION).replace("\0", "")
    return title if len(title) <= MAX_LENGTH else title[:MAX_LENGTH].rsplit(" ", 1)[0] + "…"
