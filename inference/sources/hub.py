"""`hf://owner/repo/file[@rev]`: the Hugging Face Hub.

huggingface_hub knows the Hub's address (`HF_ENDPOINT`) and our token (`HF_TOKEN`, or
`hf auth login`). Its own download has no resume: since 1.x it deletes what has come
when it breaks off, so the bytes come as those of any other URL do.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from huggingface_hub import get_token, hf_hub_url
from huggingface_hub.errors import HFValidationError

from .base import Progress, RemoteFile, model_file_name
from .errors import AccessDenied, BadUri
from .partial import PartialFile
from .transfer import Transfer

FORM = re.compile(
    r"hf://(?P<repo_id>[\w.-]+/[\w.-]+)/(?P<filename>[^@?#]+)(?:@(?P<revision>[\w./-]+))?", re.ASCII
)
TOKEN = re.compile(r"[!-~]+")
ACCESS_HINT = "Is the name right? Private and gated models need HF_TOKEN, and their owner's leave"


@dataclass(frozen=True, slots=True)
class HubFile(RemoteFile):
    """`url` is its address on the Hub."""

    url: str

    @classmethod
    def parse(cls, uri: str) -> Self:
        match = FORM.fullmatch(uri)
        if match is None:
            raise BadUri(uri, "is not of the form hf://owner/repo/file[@revision]")
        name = model_file_name(uri, match["filename"])
        try:
            return cls(uri, name, hf_hub_url(**match.groupdict()))
        except HFValidationError as error:
            raise BadUri(uri, str(error)) from None

    def download(self, part: Path, on_progress: Progress) -> str:
        return Transfer(
            self.uri,
            self.url,
            PartialFile(part),
            on_progress,
            headers=self._authorization(),
            access_hint=ACCESS_HINT,
        ).run()

    def _authorization(self) -> dict[str, str]:
        """Refuses a token that no header can hold: the library's error would show it."""
        token = get_token()
        if token is None:
            return {}
        if not TOKEN.fullmatch(token):
            raise AccessDenied(self.uri, "HF_TOKEN holds characters that no token has")
        return {"Authorization": f"Bearer {token}"}
