"""The fixtures of the tests of the console, and of the provider's simulator."""

from tests.support.console import client, queries
from tests.support.operators_site import site
from tests.support.shop import console, shop

__all__ = ["client", "console", "queries", "shop", "site"]
