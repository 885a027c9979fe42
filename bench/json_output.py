"""Who writes JSON faster, orjson or msgspec: `python -m bench.json_output`. Ratios of one run."""

import timeit

import msgspec
import orjson

ROWS = 200


class Row(msgspec.Struct):
    """As a page of rows has them."""

    order_id: str
    state: str
    total_minor: int
    lines: list[dict[str, object]]


def rows() -> list[Row]:
    """Return a page of rows."""
    line = {"sku": "tea", "quantity": 1, "amount_minor": 450}
    return [Row(f"o{n}", "completed", n * 450, [line] * 3) for n in range(ROWS)]


def ratio(value: object) -> float:
    """Return the time of orjson for `value` by that of msgspec, best of five."""

    def seconds(encode: object) -> float:
        return min(timeit.repeat("encode(value)", number=200, globals=locals() | {"value": value}))

    def by_orjson(each: object) -> bytes:
        return orjson.dumps(each, default=msgspec.to_builtins)

    return seconds(by_orjson) / seconds(msgspec.json.encode)


if __name__ == "__main__":
    print(f"plain dicts: orjson takes {ratio(msgspec.to_builtins(rows())):.2f} of msgspec's time")
    print(f"structs: orjson takes {ratio(rows()):.2f} of msgspec's time")
