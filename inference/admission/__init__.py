"""Generation for people: what the API and the chat ask for goes through here.

A request is tokenized, then its tokens are reserved, then it is computed; however it
ends, its reservation is settled.
"""

from inference.guards import check_length, check_prompt, num_characters

from .asker import Asker
from .background import KEEPERS, close_connections, in_background, keep_lease, shutdown
from .embedding import VectorReply, embed
from .generating import allowed_model, generate
from .reply import Reply
from .several import generate_several
from .tokens import TokensLeft, tightest, token_quotas

__all__ = [
    "KEEPERS",
    "Asker",
    "Reply",
    "TokensLeft",
    "VectorReply",
    "allowed_model",
    "check_length",
    "check_prompt",
    "close_connections",
    "embed",
    "generate",
    "generate_several",
    "in_background",
    "keep_lease",
    "num_characters",
    "shutdown",
    "tightest",
    "token_quotas",
]
