"""The object store of images: any that obstore knows, a local folder by default."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url
from PIL import Image

from shared.contracts.message import ImageReference
from shared.runtime.errors import TransientError


class ImageStore:
    """Images by the SHA-256 of their bytes: the same image is stored once, and a name cannot lie about its content."""

    def __init__(self, store: Any) -> None:
        self._store: Final = store

    @classmethod
    def from_url(cls, url: str) -> ImageStore:
        """A store at `file:///folder`, `s3://…`, `gs://…`, `az://…`, `memory://`. A local folder is made when missing."""
        if url.startswith("file://"):
            return cls(LocalStore(prefix=Path(url.removeprefix("file://")), mkdir=True))
        return cls(from_url(url))

    @classmethod
    def in_folder(cls, folder: Path) -> ImageStore:
        """A store in a local folder."""
        return cls(LocalStore(prefix=folder.absolute(), mkdir=True))

    async def put(self, content: bytes, label: str = "voucher") -> ImageReference:
        """Store an image and return what a submission says of it. Errors: `TransientError` when the store is away."""
        digest = hashlib.sha256(content).hexdigest()
        try:
            await obstore.put_async(self._store, _path(digest), content)
        except (BaseError, OSError) as error:
            raise TransientError(f"Expected the image store to take an image, found {error}") from error
        with Image.open(io.BytesIO(content)) as image:
            media_type = Image.MIME[image.format or ""]
        return ImageReference(sha256=digest, media_type=media_type, size_bytes=len(content), label=label)

    async def get(self, sha256: str) -> bytes | None:
        """The image's bytes, or `None` when the store has none. Errors: `TransientError` when the store is away."""
        try:
            found = await obstore.get_async(self._store, _path(sha256))
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise TransientError(f"Expected the image store to answer, found {error}") from error


def _path(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"
