"""Simulator: the floor in virtual time, run by the very code that places and deals work in life."""
