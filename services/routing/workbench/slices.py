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

CACHED_BYTES_MAX: Final = 64_000_000
CUTS_AT_ONCE_MAX: Final = 2  # a decoded scan is large: this bounds the memory, not the speed

Crop = Callable[[bytes, Region], bytes]
"""Cuts a region out of an encoded image; PNG bytes out."""


class Images(Protocol):
    """Where scans lie, by the hash of their bytes."""

    async def get(self, sha256: str) -> bytes:
        """The image's bytes as the branch sent them."""


class SliceCutter:
    """Fetches images and cuts slices off the event loop. Holds: at most `cached_bytes_max` of encoded images."""

    def __init__(self, images: Images, crop: Crop, cached_bytes_max: int = CACHED_BYTES_MAX) -> None:
        self._images: Final = images
        self._crop: Final = crop
        self._cached_bytes_max: Final = cached_bytes_max
        self._cached: Final[OrderedDict[str, bytes]] = OrderedDict()
        self._cached_bytes = 0
        self._turns: Final = asyncio.Semaphore(CUTS_AT_ONCE_MAX)

    @property
    def cached_bytes(self) -> int:
        return self._cached_bytes

    async def cut(self, region: Region) -> Slice:
        """Exactly the region, and how much of the image it is."""
        with SLICE_SECONDS.time():
            content = await self.whole(region.image_sha256)
            async with self._turns:
                return await asyncio.to_thread(self._cut, content, region)

    async def whole(self, sha256: str) -> bytes:
        """The whole image. Who may see it is not decided here."""
        known = self._cached.get(sha256)
        if known is not None:
            self._cached.move_to_end(sha256)
            return known
        content = await self._images.get(sha256)
        self._remember(sha256, content)
        return content

    def _cut(self, content: bytes, region: Region) -> Slice:
        with Image.open(BytesIO(content)) as image:  # reads the head only
            width, height = image.size
        return Slice(self._crop(content, region), region.width * region.height / (width * height))

    def _remember(self, sha256: str, content: bytes) -> None:
        if sha256 in self._cached or len(content) > self._cached_bytes_max:
            return
        self._cached[sha256] = content
        self._cached_bytes += len(content)
        while self._cached_bytes > self._cached_bytes_max:
            _, dropped = self._cached.popitem(last=False)
            self._cached_bytes -= len(dropped)
