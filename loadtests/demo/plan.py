"""What must come out, computed from the log alone, before the first request is sent."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final
from zlib import crc32

from msgspec import Struct

from loadtests.demo.purchases import Purchase

CURRENCY: Final = "USD"
HOT_SKUS: Final = 3
_NO_STOCK_ONE_IN: Final = 60
_DECLINED_ONE_IN: Final = 40
_TWIN_ONE_IN: Final = 50


class Expected(StrEnum):
    """The outcome of one order; contested orders fight for too little stock."""

    CONFIRMED = "confirmed"
    OUT_OF_STOCK = "out_of_stock"
    DECLINED = "payment_declined"
    CONTESTED = "contested"


class Twin(StrEnum):
    """Whether a request is sent twice."""

    NO = "no"
    AT_ONCE = "at_once"
    AFTERWARDS = "afterwards"


class PlannedOrder(Struct, frozen=True, kw_only=True):
    """One order to send; lines are (sku, quantity), the total is in cents."""

    row: int
    customer: str
    lines: tuple[tuple[str, int], ...]
    total: int
    token: str
    expected: Expected
    twin: Twin

    @property
    def key(self) -> str:
        """The Idempotency-Key: a repeat of the same row is the same order."""
        return f"cdnow-row-{self.row:06d}"

    @property
    def reference(self) -> str:
        """The shop's own name of the order."""
        return f"cdnow-{self.row:06d}"

    @property
    def units(self) -> int:
        """Pieces over all lines."""
        return sum(quantity for _, quantity in self.lines)


class Plan(Struct, frozen=True, kw_only=True):
    """Orders in the order they are sent, prices in cents and stock in pieces by SKU."""

    orders: tuple[PlannedOrder, ...]
    prices: dict[str, int]
    stock: dict[str, int]
    hot: tuple[str, ...]


def make_plan(purchases: Sequence[Purchase]) -> Plan:
    """Turn purchases into orders with known outcomes."""
    lines = {purchase.row: split(purchase) for purchase in purchases}
    demand: Counter[str] = Counter()
    for units in lines.values():
        for price, quantity in units:
            demand[sku_of(price)] += quantity
    hot = tuple(sku for sku, _ in demand.most_common(HOT_SKUS))
    stock = {sku: _stock(sku, wanted, hot) for sku, wanted in demand.items()}
    orders = tuple(_order(purchase, lines[purchase.row], stock, hot) for purchase in purchases)
    prices = {sku_of(price): price for units in lines.values() for price, _ in units}
    return Plan(orders=orders, prices=prices, stock=stock, hot=hot)


def split(purchase: Purchase) -> tuple[tuple[int, int], ...]:
    """Split a purchase into (unit price in cents, quantity) so that the sum is exact."""
    price, dearer = divmod(purchase.value_cents, purchase.quantity)
    units = [(price, purchase.quantity - dearer)]
    if dearer:
        units.append((price + 1, dearer))
    return tuple(units)


def sku_of(price: int) -> str:
    """Name the article that costs `price` cents."""
    return f"CD-{price}"


def _stock(sku: str, wanted: int, hot: Iterable[str]) -> int:
    if sku in hot:
        return wanted // 2
    return 0 if crc32(sku.encode()) % _NO_STOCK_ONE_IN == 0 else wanted


def _order(
    purchase: Purchase,
    units: tuple[tuple[int, int], ...],
    stock: dict[str, int],
    hot: tuple[str, ...],
) -> PlannedOrder:
    lines = tuple((sku_of(price), quantity) for price, quantity in units)
    declined = crc32(purchase.customer.encode()) % _DECLINED_ONE_IN == 0
    return PlannedOrder(
        row=purchase.row,
        customer=f"cdnow-{purchase.customer}",
        lines=lines,
        total=purchase.value_cents,
        token=f"tok_{'decline_insufficient_funds' if declined else 'ok'}_{purchase.customer}",
        expected=_expected(lines, stock, hot, pays=purchase.value_cents > 0, declined=declined),
        twin=_twin(purchase.row),
    )


def _expected(
    lines: tuple[tuple[str, int], ...],
    stock: dict[str, int],
    hot: tuple[str, ...],
    *,
    pays: bool,
    declined: bool,
) -> Expected:
    if any(stock[sku] == 0 for sku, _ in lines):
        return Expected.OUT_OF_STOCK
    if any(sku in hot for sku, _ in lines):
        return Expected.CONTESTED
    return Expected.DECLINED if pays and declined else Expected.CONFIRMED


def _twin(row: int) -> Twin:
    digest = crc32(f"twin-{row}".encode())
    if digest % _TWIN_ONE_IN:
        return Twin.NO
    return Twin.AT_ONCE if (digest // _TWIN_ONE_IN) % 2 else Twin.AFTERWARDS
