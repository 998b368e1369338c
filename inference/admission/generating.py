"""`runtime.generate` within policies, quotas and a site's own rules."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from accounts.callers import Caller
from accounts.sizes import output_limits
from inference import runtime
from inference.guards import check_prompt, field
from inference.models import LanguageModel
from inference.runtime import Admit, ContextPolicy, Outcome, SamplingParams, Unsupported
from inference.validation import Context, validators

from .account import Account
from .asker import Asker
from .background import keep_lease
from .reply import Reply


@dataclass(frozen=True, slots=True)
class Together:
    """One of several requests with one prompt: none is computed before all are admitted."""

    group: int
    gate: asyncio.Barrier
    is_billed: bool  # for the prompt

    def admission(self, account: Account) -> Admit:
        """Let it be computed once all others may be, too."""

        async def admit(prompt_tokens: int, max_tokens: int) -> int:
            granted = await account.admit(prompt_tokens, max_tokens)
            try:
                await self.gate.wait()
            except BaseException:
                account.give_back()
                raise
            return granted

        return admit


async def generate(
    asker: Asker,
    name: str,
    params: SamplingParams,
    *,
    on_end: Callable[[Outcome], None] | None = None,
    with_progress: bool = False,
    with_timings: bool = False,
    if_too_long: ContextPolicy = ContextPolicy.ERROR,
    use_cache: bool = True,
    among: Together | None = None,
    deterministic: bool = False,
    **prompt: Any,
) -> Reply:
    """Queue a request on the asker's account; the fields of `prompt` are the engine's Request's.

    With `with_progress` the reply also has pieces that say how far it is while it waits
    for a place, and while its prompt is computed. While the model is being loaded, this
    call waits: `runtime.load_progress` tells how far that is. With `with_timings` each text
    comes with what the request has cost so far. `if_too_long` is that of
    `runtime.generate`. `among` is for `generate_several`. A `deterministic` answer is
    computed alone and gets a receipt.

    Raises:
        EngineError: every refusal of the engine, before anything is computed.
        Refusal: the asker may not.
    """
    keep_lease()
    model = await allowed_model(asker.caller, name)
    check_prompt(asker.caller.policy, prompt)
    _check_secrecy(params, deterministic=deterministic)
    if deterministic and prompt.get("images"):
        raise Unsupported("deterministic", "has a receipt of tokens, and an image is none")
    context = Context(asker.caller.name, model.slug, asker.endpoint, asker.request_id)
    prompt = validators().check_prompt(prompt, context)
    is_limited = params.max_tokens is not None
    account = Account(asker, model.slug, field(prompt), is_limited=is_limited)
    params = within(params, asker.caller)
    generation = await runtime.generate(
        model,
        params,
        on_end=_both(account.end, on_end),
        admit=among.admission(account) if among else account.admit,
        group=among.group if among else None,
        is_billed=among.is_billed if among else True,
        with_progress=with_progress,
        with_timings=with_timings,
        if_too_long=if_too_long,
        use_cache=use_cache,
        is_alone=deterministic,
        **asker.place,
        **prompt,
    )
    account.num_tokens = generation.stream.counter()
    logged = loggable(prompt) if asker.caller.policy.logs_prompts else None
    receipt = asker.receipt(params) if deterministic else None
    return Reply(generation, account, validators().answer_filter(context), logged, receipt)


def _check_secrecy(params: SamplingParams, *, deterministic: bool) -> None:
    """
    Raises:
        Unsupported: it would tell what this site's checks keep back of answers.
    """
    if not validators().has_answer_checks:
        return
    if params.num_logprobs is not None:
        raise Unsupported("logprobs", "would tell what this site's checks keep back of answers")
    if deterministic:  # by its receipt
        raise Unsupported("deterministic", "would tell what this site's checks keep back")


def _both(
    one: Callable[[Outcome], None], other: Callable[[Outcome], None] | None
) -> Callable[[Outcome], None]:
    def end(outcome: Outcome) -> None:
        one(outcome)
        if other:
            other(outcome)

    return end


def loggable(prompt: dict[str, Any]) -> dict[str, Any]:
    """The prompt's fields as its record keeps them: of images no more than which they were."""
    if not prompt.get("images"):
        return {name: value for name, value in prompt.items() if name != "images"}
    named = [
        {
            "marker": image.marker,
            "sha256": hashlib.sha256(image.data).hexdigest(),
            "size_bytes": len(image.data),
        }
        for image in prompt["images"]
    ]
    return {**prompt, "images": named}


async def allowed_model(caller: Caller, name: str) -> LanguageModel:
    """The model of that id or alias.

    Raises:
        ModelNotFound: there is none, or requests may not use it now.
        Forbidden: the caller may not.
    """
    model = await runtime.find_model(name)
    caller.policy.check_model(model.slug)
    return model


def within(params: SamplingParams, caller: Caller) -> SamplingParams:
    """Limits the answer to what the server and the caller's policy allow."""
    allowed = [limit.value for limit in output_limits(caller.policy)]
    most = min((n for n in (*allowed, params.max_tokens) if n is not None), default=None)
    return msgspec.structs.replace(params, max_tokens=most)
