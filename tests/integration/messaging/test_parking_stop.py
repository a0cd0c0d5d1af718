"""Too many parked keys a minute stop a process, which people see and end without a restart."""

import json
from typing import Any

from prometheus_client import REGISTRY

from libs.foundation.messaging.quarantine.failures import author
from libs.testkit.eventually import eventually
from tests.integration.messaging.consumer_toys import (
    Noted,
    Refused,
    ToyHandler,
    Toys,
    ToyTopic,
    definition,
    message,
    prompt_settings,
    send,
)
from tests.integration.operator.asking import orderly

KEYS = 12


async def asked(toys: Toys, *arguments: str) -> tuple[int, str]:
    url = toys.database.url_for("orderly_operator")
    return await orderly("parked", *arguments, OPERATOR_DATABASE_URL=url)


async def stops(toys: Toys) -> list[dict[str, Any]]:
    code, output = await asked(toys, "list", "--json")
    assert code == 0, output
    return json.loads(output)["stops"]


async def test_a_stopped_process_is_seen_and_parks_again_when_it_is_asked_to(
    toys: Toys, topic: ToyTopic
) -> None:
    handler = ToyHandler()
    handler.refused = {(f"k{n}", 0): Refused("a bad release") for n in range(KEYS)}
    one_lane = ToyTopic(topic.name, 1)
    bad = [message(Noted(f"k{n}", 0)) for n in range(KEYS)]
    settings = prompt_settings(parked_keys_per_minute_max=5)

    async with toys.consuming(definition(topic.name, [topic], handler), settings) as consumer:
        await send(toys.bootstrap, one_lane, bad)
        (stop,) = await eventually(lambda: stops(toys), lambda found: found != [], within_s=60)
        _, listed = await asked(toys, "list")
        assert len(await toys.parked()) == 5
        assert REGISTRY.get_sample_value("consumer_parking_stopped") == 1
        problem = f"until `orderly parked resume {topic.name}`"
        assert problem in str(consumer.problems())

        resumed = await asked(toys, "resume", topic.name, "--reason", "the sender is repaired")
        await eventually(toys.parked, lambda found: len(found) == 10)
        # Of twelve keys five more park, and the process stops anew.
        await eventually(lambda: stops(toys), lambda found: found not in ([], [stop]))
        again = await asked(toys, "resume", topic.name, "--reason", "and so are its messages")
        await eventually(toys.parked, lambda found: len(found) == KEYS)
        await eventually(consumer.problems, lambda found: found == [])
        nobody = await asked(toys, "resume", topic.name, "--reason", "nothing has stopped")

    assert (stop["owner"], stop["process"], stop["keys_max"]) == (
        topic.name,
        author().process,
        5,
    )
    assert f"orderly parked resume {topic.name}" in listed
    assert (resumed[0], again[0]) == (0, 0), resumed[1] + again[1]
    assert "parking goes on in processes: 1" in resumed[1]
    assert nobody[0] == 1
    assert f"no process of {topic.name} has stopped parking" in nobody[1]
    assert REGISTRY.get_sample_value("consumer_parking_stopped") == 0
    assert await stops(toys) == []


async def test_lanes_that_park_at_the_same_time_do_not_pass_the_bound_together(
    toys: Toys, topic: ToyTopic
) -> None:
    handler = ToyHandler()
    handler.refused = {(f"k{n}", 0): Refused("a bad release") for n in range(40)}
    settings = prompt_settings(parked_keys_per_minute_max=7)

    async with toys.consuming(definition(topic.name, [topic], handler), settings):
        # Four partitions, three of them at work at a time.
        await send(toys.bootstrap, topic, [message(Noted(f"k{n}", 0)) for n in range(40)])
        await eventually(lambda: stops(toys), lambda found: found != [], within_s=60)

    assert len(await toys.parked()) == 7
