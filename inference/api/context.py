"""What of a conversation a model was given."""

from inference.admission import Reply

CONTEXT = "x-context"


def context_of(reply: Reply, num_messages: int) -> str:
    """The header's value, a dictionary as RFC 9651 has it."""
    facts = {
        "kept": num_messages - len(reply.dropped),
        "dropped": len(reply.dropped),
        "prompt_tokens": reply.prompt_tokens,
        "context_length": reply.context_length,
    }
    return ", ".join(f"{name}={number}" for name, number in facts.items())
