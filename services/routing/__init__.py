"""Routing: who does which work, and where every work item is."""
