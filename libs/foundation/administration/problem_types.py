"""The pages of the problems that only the operators' interface answers with."""

from typing import Final

from libs.foundation.web.problem_types import ProblemType

ADMINISTRATION_PROBLEMS: Final = (
    ProblemType(
        code="nothing-chosen",
        status=422,
        meaning="Nothing narrows the choice of keys. Nothing was asked for.",
        remedy="Name an owner, topic, key or cause, or say `all: true` for every parked key.",
    ),
    ProblemType(
        code="nothing-parked",
        status=409,
        meaning="No key that is free to be asked for matches the choice. Nothing was asked for.",
        remedy="Look again at GET /admin/v1/parked: `detail` says what holds the keys.",
    ),
    ProblemType(
        code="asked-before",
        status=409,
        meaning="A request that is not finished has asked for every key of the choice.",
        remedy="Look at that request instead, at GET /admin/v1/requests/{request_id}.",
        fields={"request_id": "The id of the request that has asked before."},
    ),
    ProblemType(
        code="request-id-taken",
        status=409,
        meaning="The id in the path belongs to another request. Nothing was asked for.",
        remedy="Make a new id, a UUIDv7, for each thing that is to happen once.",
    ),
)
