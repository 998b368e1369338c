"""What people say to models, and what they get."""

from .attachment import Attachment
from .conversation import Conversation, Folder
from .message import Message, Role, Status
from .preset import Preset
from .response import StoredResponse
from .share import Share

__all__ = [
    "Attachment",
    "Conversation",
    "Folder",
    "Message",
    "Preset",
    "Role",
    "Share",
    "Status",
    "StoredResponse",
]
