"""A request for a response, looked up and checked: what it says, to whom, where."""

from dataclasses import dataclass

from chat.making import Making
from chat.models import Message
from chat.responses import Place
from inference.admission import Asker
from inference.api.endpoint import LimitedEndpoint
from inference.models import LanguageModel
from inference.recording import Recorder

from .bodies import ResponsesRequest
from .making import making_of


@dataclass(frozen=True, slots=True)
class Asked:
    """
    Attributes:
        view: has the answers under way.
        rows: what is said, not stored yet.
        place: what that follows.
    """

    view: LimitedEndpoint
    asker: Asker
    body: ResponsesRequest
    rows: list[Message]
    model: LanguageModel
    place: Place
    recorder: Recorder

    def making(self) -> Making:
        """Raises as `making_of` does."""
        return making_of(self.body, self.model, self.place)
