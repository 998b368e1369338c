"""What a model may be asked for, and the refusal of all else."""

from collections.abc import Sequence

from inference.engine import Image, UnfitModel, Unsupported

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


def check_images(model: LanguageModel, images: Sequence[Image]) -> None:
    """
    Raises:
        Unsupported: there are some, and the model has no projector to read them with.
    """
    if images and not model.reads_images:
        why = f"is an image; the model {model.slug} reads none, and no address is ever fetched"
        raise Unsupported(images[0].param, why)
