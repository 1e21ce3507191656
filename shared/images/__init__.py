"""Document images: stored by the hash of their bytes, checked before they are trusted, cut into slices."""

from shared.images.checks import ImageFacts, ImageFault, inspect
from shared.images.slices import crop
from shared.images.store import ImageStore

__all__ = ["ImageFacts", "ImageFault", "ImageStore", "crop", "inspect"]
