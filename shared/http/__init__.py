"""The HTTP foundation of every service: tokens, problems, the application and its server."""
