"""The one function that splits money: every history of a line sums to its total exactly."""


def share(total: int, quantity: int, first: int, end: int) -> int:
    """Return the value of units `first` to `end - 1` of a line of `quantity` units.

    Integers only: adjacent ranges add up to their union, and all units to `total`.
    """
    return total * end // quantity - total * first // quantity
