"""Placement: which team a work item goes to."""
