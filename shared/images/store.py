"""The object store of images: any that obstore knows, a local folder by default."""

from __future__ import annotations

import contextlib
import hashlib
import io
import warnings
from pathlib import Path
from typing import Any, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url
from PIL import Image

from shared.contracts.message import ImageReference
from shared.images.checks import UNREADABLE, very_large
from shared.runtime.errors import ContractError, TransientError

TO_FOLDER: Final = (
    "put the folder back where it was: intake and routing wait for it, nothing is rejected; where its images are lost for "
    "good, make it anew by hand, and what waits is rejected as image_missing"
)


def note_of(folder: Path) -> Path:
    """The note beside a local folder that says that images lie in it: a folder that is gone took what is inside along."""
    return folder.parent / f"{folder.name}.in-use"


def vanished(folder: Path) -> bool:
    """Whether a local folder held images and is there no more: it is not made anew, as it would be empty."""
    return not folder.is_dir() and note_of(folder).exists()


class ImageStore:
    """Images by the SHA-256 of their bytes: the same image is stored once, and a name cannot lie about its content.

    Holds:   a local folder that has vanished is away, not empty, and nobody but a person makes it anew.
    """

    def __init__(self, store: Any, folder: Path | None = None) -> None:
        self._opened = store
        self._folder: Final = folder
        self._noted = folder is None

    @classmethod
    def from_url(cls, url: str) -> ImageStore:
        """A store at `file:///folder`, `s3://…`, `gs://…`, `az://…`, `memory://`. A local folder is made when missing,
        unless images lay in it: then the store is away until the folder is back.

        Errors:  `ValueError` for an address that names no store, or a folder that cannot be made.
        """
        try:
            if url.startswith("file://"):
                return cls.in_folder(Path(url.removeprefix("file://")))
            return cls(from_url(url))
        except (BaseError, OSError, ValueError) as error:
            why = str(error).partition("\n")[0]
            raise ValueError(
                f"Expected OPSFLOOR_IMAGES to be an object store's address, as file:///folder or s3://bucket, found {url!r}: {why}"
            ) from error

    @classmethod
    def in_folder(cls, folder: Path) -> ImageStore:
        """A store in a local folder."""
        absolute = folder.absolute()
        return cls(None if vanished(absolute) else LocalStore(prefix=absolute, mkdir=True), absolute)

    @property
    def _store(self) -> Any:
        """The store at hand. Errors: `TransientError` when its local folder has vanished: obstore would make it anew."""
        self._expect_folder()
        if self._opened is None:
            self._opened = LocalStore(prefix=self._folder)
        return self._opened

    def hindrance(self) -> str:
        """What keeps a local store from giving images, in words that name no place; nothing when its folder is there."""
        if self._folder is None or self._folder.is_dir():
            return ""
        return "the image store's folder is gone: what comes with images waits until it is back"

    def _expect_folder(self) -> None:
        if self._folder is not None and not self._folder.is_dir():
            raise TransientError(f"Expected the image store's folder {self._folder}, found none. Remedy: {TO_FOLDER}")

    def _note(self) -> None:
        """Say beside a local folder, once, that images lie in it; where nobody may write, nobody makes a folder either."""
        if self._folder is not None and not self._noted:
            self._noted = True
            with contextlib.suppress(OSError):
                note_of(self._folder).write_text(
                    f"Images of submissions lie in {self._folder.name}, beside this note.\n"
                )

    async def put(self, content: bytes, label: str = "voucher") -> ImageReference:
        """Store an image and return what a submission says of it.

        Errors:  `ContractError` when the bytes are no image, and nothing is stored; `TransientError` when the store is
                 away.
        """
        media_type = _media_type(content)
        digest = hashlib.sha256(content).hexdigest()
        try:
            await obstore.put_async(self._store, _path(digest), content)
        except (BaseError, OSError) as error:
            raise TransientError(f"Expected the image store to take an image, found {error}") from error
        self._note()
        return ImageReference(sha256=digest, media_type=media_type, size_bytes=len(content), label=label)

    async def get(self, sha256: str) -> bytes | None:
        """The image's bytes, or `None` when the store has none.

        Errors:  `TransientError` when the store is away; a local folder that has vanished is away, not empty.
        """
        try:
            found = await obstore.get_async(self._store, _path(sha256))
            content = bytes(await found.bytes_async())
        except FileNotFoundError:
            self._expect_folder()
            return None
        except (BaseError, OSError) as error:
            raise TransientError(f"Expected the image store to answer, found {error}") from error
        self._note()
        return content


def _media_type(content: bytes) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of very many pixels: whether they are too many is reception's to say
            with Image.open(io.BytesIO(content)) as image:
                return Image.MIME[image.format or ""]
    except UNREADABLE as error:
        if isinstance(error, Image.DecompressionBombError) and (head := very_large(content)) is not None:
            return head.media_type
        raise ContractError("Expected the bytes of an image, PNG or JPEG, found something else") from error


def _path(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"
