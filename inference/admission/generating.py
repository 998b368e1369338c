"""`runtime.generate` within policies, quotas and a site's own rules."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from accounts.callers import Caller
from accounts.sizes import output_limits
from inference import runtime
from inference.guards import check_prompt, field
from inference.models import LanguageModel
from inference.runtime import ContextPolicy, Outcome, SamplingParams, Unsupported
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


async def generate(
    asker: Asker,
    name: str,
    params: SamplingParams,
    *,
    on_end: Callable[[Outcome], None] | None = None,
    with_progress: bool = False,
    if_too_long: ContextPolicy = ContextPolicy.ERROR,
    among: Together | None = None,
    **prompt: Any,
) -> Reply:
    """Queue a request on the asker's account; the fields of `prompt` are the engine's Request's.

    With `with_progress` the reply also has pieces that say how far it is while it waits
    for a place, and while its prompt is computed. While the model is being loaded, this
    call waits: `runtime.load_progress` tells how far that is. `if_too_long` is that of
    `runtime.generate`. `among` is for `generate_several`.

    Raises:
        EngineError: every refusal of the engine, before anything is computed.
        Refusal: the asker may not.
    """
    keep_lease()
    model = await allowed_model(asker.caller, name)
    check_prompt(asker.caller.policy, prompt)
    site = validators()
    if site.has_answer_checks and params.num_logprobs is not None:
        raise Unsupported("logprobs", "would tell what this site's checks keep back of answers")
    context = Context(asker.caller.name, model.slug, asker.endpoint, asker.request_id)
    prompt = site.check_prompt(prompt, context)
    is_limited = params.max_tokens is not None
    account = Account(asker, model.slug, field(prompt), is_limited=is_limited)

    def end(outcome: Outcome) -> None:
        account.end(outcome)
        if on_end:
            on_end(outcome)

    async def admit(prompt_tokens: int, max_tokens: int) -> int:
        granted = await account.admit(prompt_tokens, max_tokens)
        try:
            assert among is not None
            await among.gate.wait()
        except BaseException:
            account.give_back()
            raise
        return granted

    generation = await runtime.generate(
        model,
        within(params, asker.caller),
        on_end=end,
        admit=account.admit if among is None else admit,
        group=among.group if among else None,
        is_billed=among.is_billed if among else True,
        request_id=asker.request_id,
        priority=asker.priority,
        with_progress=with_progress,
        if_too_long=if_too_long,
        **prompt,
    )
    account.num_tokens = generation.stream.counter()
    logged = prompt if asker.caller.policy.logs_prompts else None
    return Reply(generation, account, site.answer_filter(context), logged)


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
