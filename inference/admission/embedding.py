"""`embedding.embed` within policies, quotas and a site's own rules."""

from typing import Any

from django.utils import timezone

from inference import embedding
from inference.embedding import Vectors
from inference.guards import check_inputs
from inference.models import LanguageModel
from inference.validation import Context, validators

from .account import Account
from .asker import Asker
from .background import keep_lease
from .generating import allowed_model
from .tokens import TokensLeft, tightest


class VectorReply:
    """Vectors under way, on somebody's account: to be read, once."""

    def __init__(self, model: LanguageModel, vectors: Vectors, account: Account) -> None:
        self.model = model
        self.prompt_tokens = vectors.prompt_tokens
        self._vectors = vectors
        self._account = account

    async def read(self) -> list[bytes]:
        """One for each input; see `Vectors.read`."""
        vectors = await self._vectors.read()
        await self._account.settled()
        return vectors

    def tokens_left(self) -> TokensLeft | None:
        """Of the tightest quota."""
        account = self._account
        return tightest(account.counts, timezone.now(), account.tokens_given_back)


async def embed(asker: Asker, name: str, *, param: str, **request: Any) -> VectorReply:
    """Queue a request for vectors on the asker's account.

    The fields of `request` are the engine's EmbedRequest's; `param` is what the client
    calls its inputs.

    Raises:
        EngineError: every refusal of the engine, before anything is computed.
        Refusal: the asker may not.
    """
    keep_lease()
    model = await allowed_model(asker.caller, name)
    policy = asker.caller.policy
    check_inputs(policy, request, param)
    context = Context(asker.caller.name, model.slug, asker.endpoint, asker.request_id)
    request = validators().check_inputs(request, context, param)
    account = Account(asker, model.slug, param, is_limited=True)
    vectors = await embedding.embed(
        model,
        on_end=account.end,
        admit=account.admit,
        request_id=asker.request_id,
        priority=asker.priority,
        owner=asker.caller.owner,
        **request,
    )
    if policy.logs_prompts:
        account.log(request, "")
    return VectorReply(model, vectors, account)
