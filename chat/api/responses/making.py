"""How a response is made: what its request says, beside its conversation."""

import msgspec

from chat.making import Making
from chat.responses import Place
from inference.api.tools import ToolUse
from inference.models import LanguageModel

from .bodies import ResponsesRequest


def making_of(body: ResponsesRequest, model: LanguageModel, place: Place) -> Making:
    """
    Raises:
        ApiError, InvalidParameter: fields contradict each other, or are out of their range.
    """
    use = ToolUse.of(body.in_chat(), model)
    params = body.params()
    return Making(
        params=msgspec.structs.replace(params, grammar=use.grammar(params.grammar)),
        system_prompt=place.system_prompt if body.instructions is None else body.instructions,
        template_options=body.template_options(),
        if_too_long=body.if_too_long,
        tell=use.prompt,
        make_parser=use.parser,
        wants_title=False,
    )
