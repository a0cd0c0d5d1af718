"""Orders that are accepted, as examples in the description of the API."""

from typing import Any, Final


def _euros(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


EXAMPLES: Final[dict[str, object]] = {
    "catalogue_prices": {
        "currency": "EUR",
        "lines": [{"sku": "TEE-M-BLK", "quantity": 2}],
        "payment": {"source": {"provider": "simulator", "kind": "token", "value": "tok_good"}},
    },
    "supplied_prices": {
        "external_reference": "web-88121",
        "customer_id": "c_5512",
        "channel": "web",
        "currency": "EUR",
        "taxes_included": True,
        "lines": [
            {
                "sku": "TEE-M-BLK",
                "quantity": 3,
                "unit_price": _euros(2_000),
                "discount": _euros(600),
                "tax": _euros(862),
            }
        ],
        "shipping": {"method": "standard", "amount": _euros(490), "tax": _euros(78)},
        "expected_total": _euros(5_890),
        "payment": {"source": {"provider": "simulator", "kind": "token", "value": "tok_good"}},
        "contact": {
            "email": "a@example.org",
            "shipping_address": {
                "name": "A. B.",
                "line1": "Weg 1",
                "city": "Bonn",
                "postal_code": "53111",
                "country": "DE",
            },
        },
        "metadata": {"cart": "7781"},
    },
}
