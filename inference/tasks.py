"""What a model may be asked for, and the refusal of all else."""

from inference.engine import UnfitModel

from .models import LanguageModel, Task

REFUSALS = {
    Task.GENERATE: "writes no text",
    Task.EMBED: "makes no embeddings",
    Task.RERANK: "does not rank documents",
}


def check_task(model: LanguageModel, task: Task) -> None:
    """
    Raises:
        UnfitModel: the model does something else, by its file or by its row.
    """
    if model.serves != task:
        raise UnfitModel(model.slug, REFUSALS[task])
