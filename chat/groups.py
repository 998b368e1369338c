"""Where what happens in a conversation is told, to every server process."""

from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer

from accounts.keys import digest_of


def of_conversation(uid: UUID) -> str:
    return f"chat.conversation.{uid.hex}"


def of_owner(owner: str) -> str:
    """A caller's sockets, whatever they follow; names of groups are short ASCII."""
    return f"chat.owner.{digest_of(owner)[:32]}"


async def tell(group: str, frame: dict[str, Any], *, to: str = "", ref: str = "") -> None:
    """Send a frame to the sockets of a group; the one on channel `to` gets the ref with it.

    Those that read too slowly miss it.
    """
    event = {"type": "told", "frame": frame, "to": to, "ref": ref}
    await get_channel_layer().group_send(group, event)
