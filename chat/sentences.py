"""What people read of a refusal on a page, in their language.

Engine and accounts say it in English, with all numbers, as programs and logs want it; so do
pages in English. Others say what the code means, and what can be done.
"""

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

SENTENCES: dict[str, Promise] = {
    "context_length_exceeded": _(
        "This is too long for the model. Shorten it, attach less, or choose another model."
    ),
    "model_not_found": _("This model is not there, or you may not use it. Choose another one."),
    "overloaded": _("There is no room in memory for this model now. Try again later."),
    "model_load_failed": _("The model could not be loaded. Choose another one."),
    "engine_unusable": _("Models cannot be run on this machine."),
    "engine_restarting": _("The model is being started anew. Try again in a moment."),
    "engine_error": _("The model could not compute the answer."),
    "internal_error": _("The server failed; its log says why."),
    "cache_unavailable": _("Requests cannot be counted now. Try again later."),
    "rate_limit_exceeded": _("These are too many requests for now. Try again in a moment."),
    "insufficient_quota": _("Your share of tokens is used up for now. Try again later."),
    "limit_exceeded": _("This is more than a request may have. Shorten it, or attach less."),
    "permission_denied": _("A rule does not allow you this."),
    "invalid_api_key": _("You are signed out. Load the page again to sign in."),
    "conversation_not_found": _("This conversation is not there any more."),
    "message_not_found": _("This message or file is not there any more. Load the page again."),
    "response_not_found": _("This answer is not there any more."),
    "previous_response_not_found": _("The answer before it is not there any more."),
    "conversation_busy": _("An answer is being written: wait for its end, or stop it."),
    "unsupported_parameter": _("This model cannot do what the settings ask for."),
}


def sentence_of(code: str, message: str) -> str:
    """The message itself where there is no sentence, such as of a validator of this site."""
    sentence = SENTENCES.get(code)
    if sentence is None or (get_language() or "en").startswith("en"):
        return message
    return str(sentence)
