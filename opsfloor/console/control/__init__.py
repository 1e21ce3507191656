"""The control room of reroutes in the browser: a client of routing's HTTP face, one person's token at a time."""
