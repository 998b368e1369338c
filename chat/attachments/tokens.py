"""What a text costs of a model's context."""

from asgiref.sync import sync_to_async

from accounts.callers import policy_of
from accounts.models import User
from inference import runtime
from inference.runtime import EngineError

# Of what is longer than its context an engine counts no tokens, and while it counts
# others wait. A cut costs a token at most.
PIECE_CHARACTERS = 4000


async def counted(user: User, name: str, text: str) -> int | None:
    """Tokens for the model of that id or alias; None where an estimate has to do.

    That is while the model is not in memory, and if there is none, or not for this person.
    """
    policy = await sync_to_async(policy_of)(user)
    try:
        model = await runtime.find_model(name)
        if not policy.allows_model(model.slug):
            return None
        counts = await runtime.count_texts(model, _pieces(text))
    except EngineError:
        return None
    return sum(counts) if counts else None


def _pieces(text: str) -> list[str]:
    starts = range(0, len(text), PIECE_CHARACTERS)
    return [text[start : start + PIECE_CHARACTERS] for start in starts]
