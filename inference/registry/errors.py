"""Everything that the registry can refuse."""

from typing import ClassVar

from django.core.exceptions import ValidationError

from inference.gguf_file import ModelFileError


class RegistryError(Exception):
    """The registry refuses; `code` is for programs and never changes."""

    code: ClassVar[str] = "registry_error"


class UnknownModel(RegistryError):
    """No model has that id or alias."""

    code = "unknown_model"


class UnknownBase(UnknownModel):
    """No model has the id or alias that an adapter names as its base."""


class UnknownDraft(UnknownModel):
    """No model has the id or alias that another names as its draft model."""


class ModelInUse(RegistryError):
    """The model is the base of others, or their draft model."""

    code = "model_in_use"


class DuplicateModel(RegistryError):
    """The id, or the source, is there already."""

    code = "duplicate_model"


class InvalidModel(RegistryError):
    """A column or an alias has a value that it cannot have."""

    code = "invalid_model"

    def __init__(self, slug: str, error: ValidationError) -> None:
        self.column = next(iter(error.message_dict))
        problems = (f"{key}: {' '.join(texts)}" for key, texts in error.message_dict.items())
        super().__init__(f"{slug}: {'; '.join(problems)}")


class NotFetched(ModelFileError):
    """The row has no file yet."""

    code = "model_not_fetched"


class CorruptedModelFile(ModelFileError):
    """The file is not what it was when it was fetched."""

    code = "corrupted_model_file"


class SourceChanged(ModelFileError):
    """The file that was fetched is not what the row asks for any more."""

    code = "source_changed"
