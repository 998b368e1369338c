"""What nobody will read is not computed: answers in conversations that are deleted."""

from contextlib import suppress
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.db import transaction

from .models import Conversation


def stop_answers(conversation: Conversation) -> None:
    """Tell their writers, in whichever process, once the transaction has passed."""
    running = conversation.messages.running()
    for channel in running.exclude(channel="").values_list("channel", flat=True):
        transaction.on_commit(partial(tell_stop, channel), robust=True)


def stop_deleted(instance: Conversation, **_: Any) -> None:
    """However it is deleted for good, also with its owner (pre_delete)."""
    stop_answers(instance)


def tell_stop(channel: str) -> None:
    """From a thread: an answer's writer, in whichever process."""
    with suppress(ChannelFull):
        async_to_sync(get_channel_layer().send)(channel, {"type": "stop"})
