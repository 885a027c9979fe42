"""Figures by minute and country; a row a partition."""

from tables import declare
from workflows.analytics.process import INITIAL, Figures

figures = declare(
    "analytics",
    service="analytics",
    shape=Figures,
    initial=INITIAL,
    help="Figures by minute and country; a row a partition.",
    by_transaction=False,
)
