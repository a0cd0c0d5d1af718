"""Money: integer minor units and an ISO 4217 currency."""

from typing import Final

from msgspec import Struct

AMOUNT_MAX: Final = 10**12 - 1
# Minor units per currency (ISO 4217); what is not listed is not enabled.
_CURRENCIES_BY_EXPONENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AUD BGN BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF IDR ILS INR MXN MYR NOK NZD PHP PLN"
    " RON SAR SEK SGD THB TRY TWD USD ZAR",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: Final = {
    currency: exponent
    for exponent, currencies in _CURRENCIES_BY_EXPONENT.items()
    for currency in currencies.split()
}


class Money(Struct, frozen=True, kw_only=True):
    """An amount in minor units of `currency`: 1999 EUR is 19.99 euros, 1999 JPY is 1,999 yen."""

    amount: int
    currency: str
