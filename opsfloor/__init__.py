"""The command line that ties the services together."""
