"""Cuts the slice that a work item names out of its image, when it is asked for."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from typing import Final, Protocol

from PIL import Image

from services.routing.workbench.decide import Slice
from services.routing.workbench.metrics import SLICE_SECONDS
from shared.contracts.message import Region
from shared.http.timed import timed
from shared.images import crop
from shared.runtime.errors import ContractError
from shared.runtime.processor import Rejection

CACHED_BYTES_MAX: Final = 64_000_000
CUTS_AT_ONCE_MAX: Final = 2  # a decoded scan is large: this bounds the memory, not the speed

Crop = Callable[[bytes, Region], bytes]
"""Cuts a region out of an encoded image; PNG bytes out."""


class Images(Protocol):
    """Where scans lie, by the hash of their bytes."""

    async def get(self, sha256: str) -> bytes | None:
        """The image's bytes as the branch sent them; `None` when there are none. Errors: `TransientError`."""


class SliceCutter:
    """Fetches images and cuts slices off the event loop. Holds: at most `cached_bytes_max` of encoded images."""

    def __init__(self, images: Images, cut_out: Crop = crop, cached_bytes_max: int = CACHED_BYTES_MAX) -> None:
        self._images: Final = images
        self._cut_out: Final = cut_out
        self._cached_bytes_max: Final = cached_bytes_max
        self._cached: Final[OrderedDict[str, bytes]] = OrderedDict()
        self._cached_bytes = 0
        self._turns: Final = asyncio.Semaphore(CUTS_AT_ONCE_MAX)

    @property
    def cached_bytes(self) -> int:
        return self._cached_bytes

    async def cut(self, region: Region) -> Slice | Rejection:
        """Exactly the region, and how much of the image it is."""
        with timed(SLICE_SECONDS):
            content = await self.whole(region.image_sha256)
            if isinstance(content, Rejection):
                return content
            async with self._turns:
                return await asyncio.to_thread(self._cut, content, region)

    async def whole(self, sha256: str) -> bytes | Rejection:
        """The whole image. Who may see it is not decided here."""
        known = self._cached.get(sha256)
        if known is not None:
            self._cached.move_to_end(sha256)
            return known
        content = await self._images.get(sha256)
        if content is None:
            return Rejection("image_missing", "Expected the image in the store, found none; tell the people on call")
        self._remember(sha256, content)
        return content

    def _cut(self, content: bytes, region: Region) -> Slice | Rejection:
        try:
            png = self._cut_out(content, region)
            with Image.open(BytesIO(content)) as image:  # reads the head only
                width, height = image.size
        except (ContractError, OSError) as error:
            return Rejection(
                "bad_region", f"Expected a readable image with this slice in it ({error}); decline the item"
            )
        return Slice(png, region.width * region.height / (width * height))

    def _remember(self, sha256: str, content: bytes) -> None:
        if sha256 in self._cached or len(content) > self._cached_bytes_max:
            return
        self._cached[sha256] = content
        self._cached_bytes += len(content)
        while self._cached_bytes > self._cached_bytes_max:
            _, dropped = self._cached.popitem(last=False)
            self._cached_bytes -= len(dropped)
