"""The operator's workbench and the floor's view of the desks: routing's HTTP face."""
