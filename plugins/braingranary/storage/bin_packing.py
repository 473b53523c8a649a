"""Spreading work: items of known weight into batches of about equal weight, the same batches for the same items.

What a Spark job hands to its tasks. Goes in: items, their weights in bytes and names that order them. Comes out:
batches, the heaviest first, because Spark starts its tasks in order. Fails never.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def spread(
    items: Iterable[Item],
    *,
    weight: Callable[[Item], int],
    name: Callable[[Item], str],
    batch_bytes: int,
    batches_min: int = 1,
    multiple_of: int = 1,
) -> tuple[tuple[Item, ...], ...]:
    """`items` in batches of about equal bytes, none much above `batch_bytes`, the heaviest batch first.

    There are at least `batches_min` batches where there are as many items, so that no worker is idle, and a multiple
    of `multiple_of` (the cores), so that none is idle in the last round either. Each item goes to the lightest batch,
    longest first (Graham 1969).
    """
    ordered = sorted(items, key=lambda one: (-weight(one), name(one)))
    if not ordered:
        return ()
    total = sum(weight(one) for one in ordered)
    count = max(batches_min, -(-total // batch_bytes))
    count = min(len(ordered), -(-count // multiple_of) * multiple_of)
    heap: list[tuple[int, int]] = [(0, number) for number in range(count)]
    contents: list[list[Item]] = [[] for _ in range(count)]
    for one in ordered:
        load, number = heapq.heappop(heap)
        contents[number].append(one)
        heapq.heappush(heap, (load + max(1, weight(one)), number))
    loads = {number: load for load, number in heap}
    heaviest_first = sorted(range(count), key=lambda number: (-loads[number], number))
    return tuple(tuple(contents[number]) for number in heaviest_first)
