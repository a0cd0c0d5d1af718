"""Shows the report about an order to people: the answer first, then what it rests on."""

from datetime import datetime

from rich.console import Console

from libs.domain.operations.order_report import Message, Report
from services.operator import output


def show(console: Console, report: Report) -> None:
    """Print the report."""
    verdict = report.verdict
    console.print(f"{verdict.standing.value.upper()} ({verdict.code}): {verdict.reason}")
    for action in verdict.actions:
        console.print(f"  do: {action}")
    for other in verdict.also:
        console.print(f"  also: {other}")
    for problem in report.not_looked_at:
        console.print(f"  not looked at: {problem}")
    if report.order is None or report.saga is None:
        return
    order = report.order
    console.print(
        f"order {order.id}, number {order.number}, found by {report.found_by}: {order.status.value}"
        f" version {order.version}, {_money(order.total_minor, order.currency)}, step"
        f" {report.saga.step.value}, placed {_time(order.placed_at)}"
    )
    console.print(f"traces: {', '.join(report.trace_ids) or 'none'}")
    _show_timers(console, report)
    _show_timeline(console, report)
    _show_messages(console, report)
    _show_money(console, report)


def _show_timers(console: Console, report: Report) -> None:
    output.table(
        console,
        ("waits for", "late at", "late"),
        [
            (timer.waits_for, _time(timer.late_at), "yes" if timer.late else "no")
            for timer in report.timers
        ],
    )


def _show_timeline(console: Console, report: Report) -> None:
    output.table(
        console,
        ("version", "at", "event", "by", "reason"),
        [
            (
                str(entry.sequence),
                _time(entry.at),
                entry.type,
                f"{entry.actor_kind} {entry.actor_id or ''}".strip(),
                entry.reason or "-",
            )
            for entry in report.timeline
        ],
    )


def _show_messages(console: Console, report: Report) -> None:
    output.table(
        console,
        ("row", "written", "type", "topic", "partition", "offset", "published", "consumers"),
        [
            (
                f"{message.seq}{' copy' if message.copy else ''}",
                _time(message.written_at),
                message.type,
                message.topic,
                str(message.partition),
                output.number(message.offset),
                "yes" if message.published else "no",
                _readings(message),
            )
            for message in report.messages
        ],
    )
    output.table(
        console,
        ("parked by", "topic", "partition", "offset", "type", "attempts", "error"),
        [
            (
                message.consumer,
                message.topic,
                str(message.partition),
                str(message.log_offset),
                message.type or "-",
                str(message.attempts),
                f"{message.error_code}: {message.error}",
            )
            for message in report.parked
        ],
    )


def _show_money(console: Console, report: Report) -> None:
    if report.reservation is not None:
        console.print(
            f"reservation: {report.reservation.state}, answered"
            f" {report.reservation.answer_type or 'nothing yet'},"
            f" changed {_time(report.reservation.updated_at)}"
        )
    if report.payment is None:
        return
    payment = report.payment
    sums = ", ".join(
        f"{name} {_money(value, payment.currency)}"
        for name, value in (
            ("planned", payment.planned_minor),
            ("authorised", payment.authorised_minor),
            ("captured", payment.captured_minor),
            ("released", payment.released_minor),
            ("refunded", payment.refunded_minor),
        )
        if value
    )
    console.print(f"payment: {payment.state.value} at {payment.provider}: {sums or 'nothing'}")
    output.table(
        console,
        ("operation", "key", "amount", "state", "attempts", "outcome", "next"),
        [
            (
                each.kind.value,
                str(each.key),
                _money(each.amount_minor, each.currency),
                each.state.value,
                str(each.attempts),
                each.outcome or "-",
                _time(each.next_at),
            )
            for each in report.operations
        ],
    )


def _readings(message: Message) -> str:
    return ", ".join(f"{each.consumer} {each.state}" for each in message.readings) or "-"


def _money(amount_minor: int, currency: str) -> str:
    return f"{amount_minor} {currency} minor"


def _time(at: datetime | None) -> str:
    return "-" if at is None else at.isoformat(sep=" ", timespec="milliseconds")
