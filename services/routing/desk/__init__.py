"""Desk: a team's queue and its matching of items to operators."""
