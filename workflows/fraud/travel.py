"""How fast a customer would have had to travel between two payments. Part of the fraud workflow."""

from math import asin, cos, radians, sin, sqrt

from workflows.fraud.entity import HOUR_MS, Place

EARTH_KM = 6371.0088
"""Mean radius, IUGG."""
SHORTEST_HOURS = 1 / 60
"""Payments of one minute count as a minute apart: clocks differ."""


def of(last: Place | None, this: Place | None) -> dict[str, float]:
    """Return the distance and the speed since the last place; nothing when either is unknown."""
    if last is None or this is None:
        return {}
    km = distance_km(last, this)
    hours = max(abs(this.at_ms - last.at_ms) / HOUR_MS, SHORTEST_HOURS)
    return {"travel_km": km, "travel_kmh": km / hours}


def distance_km(one: Place, other: Place) -> float:
    """Return the great-circle distance, by the haversine formula."""
    south, north = radians(one.latitude), radians(other.latitude)
    turn = radians(other.longitude - one.longitude)
    half = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin(turn / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))
