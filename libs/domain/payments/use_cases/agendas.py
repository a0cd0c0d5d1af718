"""Sorts what was read of several payments into the agenda of each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from libs.domain.payments.agenda import Agenda, Reduction
from libs.domain.payments.operation import Operation


def agendas_of(
    order_ids: Iterable[UUID], operations: Sequence[Operation], reductions: Sequence[Reduction]
) -> dict[UUID, Agenda]:
    """Return the agenda of each order."""
    operations_of: dict[UUID, list[Operation]] = defaultdict(list)
    for operation in operations:
        operations_of[operation.order_id].append(operation)
    reductions_of: dict[UUID, list[Reduction]] = defaultdict(list)
    for reduction in reductions:
        reductions_of[reduction.order_id].append(reduction)
    return {
        order_id: Agenda.of(operations_of[order_id], reductions_of[order_id])
        for order_id in order_ids
    }
