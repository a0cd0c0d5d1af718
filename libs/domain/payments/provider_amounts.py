"""Which amounts a provider can express: the currencies it declares, with their exponents."""

from collections.abc import Mapping

from libs.contracts.money import AMOUNT_MAX, EXPONENTS, Money


def expressible(amount: Money, exponents: Mapping[str, int]) -> bool:
    """Say whether a provider that counts in `exponents` can be asked for exactly this amount.

    Inside, a currency always has its ISO exponent. A provider that counts in another one would
    take a hundred times too much, or too little, without anybody noticing.
    """
    exponent = exponents.get(amount.currency)
    return exponent == EXPONENTS.get(amount.currency, -1) and 0 < amount.amount <= AMOUNT_MAX
