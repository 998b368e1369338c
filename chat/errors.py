"""What the chat refuses by itself. Codes are for programs, as those of the engine are."""

from inference.runtime import EngineError


class ConversationNotFound(EngineError):
    """There is none of that id, or it is somebody else's."""

    code = "conversation_not_found"

    def __init__(self, uid: object, param: str = "conversation") -> None:
        super().__init__(f"{param}: there is no {str(uid)!r}.", param=param)


class MessageNotFound(EngineError):
    """There is none of that id, or it is somebody else's, or of another role."""

    code = "message_not_found"

    def __init__(self, uid: object, param: str = "message") -> None:
        super().__init__(f"{param}: there is no {str(uid)!r}.", param=param)


class ResponseNotFound(EngineError):
    """There is none of that id, or it is somebody else's, or was deleted."""

    code = "response_not_found"

    def __init__(self, name: str, param: str = "response_id") -> None:
        super().__init__(f"{param}: there is no {name[:100]!r}.", param=param)


class PreviousResponseNotFound(ResponseNotFound):
    """The one to go on from."""

    code = "previous_response_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(name, "previous_response_id")


class ConversationBusy(EngineError):
    """One answer at a time: the one under way has to end, or to be stopped."""

    code = "conversation_busy"

    def __init__(self, conversation_id: int | None = None) -> None:
        super().__init__("An answer is being written in this conversation: wait, or stop it.")
        self.conversation_id = conversation_id
