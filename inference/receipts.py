"""Receipts of deterministic answers: written, kept for a while, and put to the test."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.utils import timezone

from inference.engine import (
    EngineConfig,
    FinishReason,
    ModelSpec,
    SamplingParams,
    Setup,
    TokenStream,
)

from . import runtime, specs
from .models import LanguageModel, Receipt
from .runtime import Generation


class CannotReplay(Exception):
    """What the receipt names is not what there is; the text says which, and both."""


async def keep(receipt: Receipt, generation: Generation) -> None:
    """Complete and save the receipt of an answer that has come to its own end.

    One that was cancelled gets none. `receipt` says whose it is, and has the params.
    """
    finish, setup, model = generation.finish, generation.stream.setup, generation.model
    if finish.trace is None or finish.reason is FinishReason.CANCELLED:
        return
    assert setup is not None
    receipt.at = timezone.now()
    receipt.model, receipt.model_sha256 = model.slug, model.origin.sha256
    if model.adapter:
        receipt.adapter_sha256, receipt.adapter_scale = model.sha256, model.adapter_scale
    template = model.origin.chat_template
    receipt.template_sha256 = hashlib.sha256(template.encode()).hexdigest()
    receipt.build, receipt.system = setup.info.build, setup.info.system
    receipt.device, receipt.options = setup.info.device, setup.options()
    receipt.prompt_tokens, receipt.output_tokens = finish.trace.prompt, finish.trace.output
    receipt.finish_reason = str(finish.reason)
    await receipt.asave(force_insert=True)


def forget_old(now: datetime) -> dict[str, int]:
    """Delete what is older than its retention; how many rows that were."""
    oldest = now - timedelta(days=settings.CONFIG.retention.receipt_days)
    return {"receipts": Receipt.objects.filter(at__lt=oldest).delete()[0]}


@dataclass(frozen=True, slots=True)
class Replay:
    """What a receipt's request brought this time."""

    receipt: Receipt
    output: list[int]

    @property
    def difference(self) -> int | None:
        """The place of the first token that is another, or is missing; None: there is none."""
        before = self.receipt.output_tokens
        if before == self.output:
            return None
        pairs = zip(before, self.output, strict=False)
        same = (place for place, (old, new) in enumerate(pairs) if old != new)
        return next(same, min(len(before), len(self.output)))


async def replay(receipt: Receipt, model: LanguageModel) -> Replay:
    """Compute the receipt's request again, in an engine that is set up as that one was.

    Whoever calls has verified the model's file, and shuts the engines down.

    Raises:
        CannotReplay: file, build, machine or set-up are others.
        EngineError: the engine cannot be set up like that here, or fails.
    """
    _check_files(receipt, model)
    stream = await runtime.pool().submit(
        await _spec(receipt, model),
        params=_params(receipt),
        tokens=receipt.prompt_tokens,
        adapter=model.adapter,
        is_alone=True,
    )
    _check(receipt, stream)
    async for _ in stream:
        pass
    assert stream.finish.trace is not None
    return Replay(receipt, stream.finish.trace.output)


def _check_files(receipt: Receipt, model: LanguageModel) -> None:
    if model.origin.sha256 != receipt.model_sha256:
        raise _differs("model's SHA-256", receipt.model_sha256, model.origin.sha256)
    adapter = (model.sha256, model.adapter_scale) if model.adapter else ("", None)
    if adapter[0] != receipt.adapter_sha256:
        raise _differs("adapter's SHA-256", receipt.adapter_sha256, adapter[0])
    if adapter[1] != receipt.adapter_scale:
        raise _differs("adapter's scale", receipt.adapter_scale, adapter[1])


async def _spec(receipt: Receipt, model: LanguageModel) -> ModelSpec:
    spec = await specs.spec(model)
    config = msgspec.convert(
        {**msgspec.to_builtins(spec.config), **receipt.options}, EngineConfig, strict=True
    )
    return replace(spec, config=config)


def _params(receipt: Receipt) -> SamplingParams:
    """As they were, but that an answer ends where a quota, or the context, once ended it."""
    params = dict(receipt.params)
    if receipt.finish_reason == FinishReason.LENGTH:
        params["max_tokens"] = len(receipt.output_tokens)
        params["min_tokens"] = min(params["min_tokens"], params["max_tokens"])
    return msgspec.convert(params, SamplingParams, str_keys=True)


def _check(receipt: Receipt, stream: TokenStream) -> None:
    assert stream.setup is not None
    for what, before, now in _compared(receipt, stream.setup):
        if before != now:
            stream.cancel()
            raise _differs(what, before, now)


def _compared(receipt: Receipt, setup: Setup) -> Iterator[tuple[str, Any, Any]]:
    info, options = setup.info, setup.options()
    yield "engine's build", receipt.build, info.build
    yield "device", receipt.device, info.device
    yield "machine", receipt.system, info.system
    for name, before in receipt.options.items():
        yield f"engine's {name}", before, options.get(name)


def _differs(what: str, before: Any, now: Any) -> CannotReplay:
    return CannotReplay(f"the {what} is another: the receipt has {before!r}, here it is {now!r}")
