"""A real Kafka and a real PostgreSQL on this machine, from pip alone."""

from deploy.local.problems import StackProblem
from deploy.local.stack import Addresses, Stack

__all__ = ["Addresses", "Stack", "StackProblem"]
