"""The models that a person may choose from."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest

from accounts.callers import policy_of
from accounts.pages.person import person
from chat.models import Conversation
from inference import runtime
from inference.runtime import Offer

from .own import owner_of


@dataclass(frozen=True, slots=True)
class Choice:
    """What there is, and which of it is chosen: an id, or an alias that a program chose."""

    offers: list[Offer]
    chosen: str

    @property
    def loaded(self) -> list[Offer]:
        return [offer for offer in self.offers if offer.state == "ready"]

    @property
    def others(self) -> list[Offer]:
        return [offer for offer in self.offers if offer.state != "ready"]

    @property
    def is_listed(self) -> bool:
        """False for an alias, and for a model that is not offered any more."""
        return any(offer.slug == self.chosen for offer in self.offers)


def offers_for(request: HttpRequest) -> list[Offer]:
    policy = policy_of(person(request))
    return [offer for offer in runtime.catalogue() if policy.allows_model(offer.slug)]


def choice_for(request: HttpRequest, conversation: Conversation | None) -> Choice:
    """The conversation's model; for a new one that of the last, or one that is loaded."""
    offers = offers_for(request)
    if conversation and conversation.model:
        return Choice(offers, conversation.model)
    own = Conversation.objects.owned_by(owner_of(request)).chats().order_by("-updated_at")
    last = own.values_list("model", flat=True).first()
    best = sorted(offers, key=_distance_from(last))
    return Choice(offers, best[0].slug if best else "")


def _distance_from(last: str | None) -> Callable[[Offer], tuple[bool, bool]]:
    return lambda offer: (offer.slug != last, offer.state != "ready")
