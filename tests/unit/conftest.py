"""The fixtures of the tests of the console."""

from tests.support.console import client, queries
from tests.support.operators_site import site

__all__ = ["client", "queries", "site"]
