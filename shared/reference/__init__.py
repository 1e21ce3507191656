"""The bank's reference data: read from YAML, checked as a whole, seen as a board."""

from shared.reference.files import ReferenceErrors, load

__all__ = ["ReferenceErrors", "load"]
