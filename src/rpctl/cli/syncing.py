"""What `rpctl sync` asks of the sync room, and how its reports are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from rpctl.domain.values import format_instant
from rpctl.errors import UnsupportedOperation, UsageError
from rpctl.render.views import Column, View, brief_moment
from rpctl.sync.mirror import Mirror
from rpctl.sync.outbox import Outbox, State

if TYPE_CHECKING:
    from rpctl.cli.services import Session
    from rpctl.domain.values import Instant
    from rpctl.errors import RpctlError
    from rpctl.sync.outbox import Waiting
    from rpctl.sync.push import Pushed

_LISTED: Final = 20
_PAGE: Final = 500
_CHANGE_COLUMNS: Final = (
    Column("recordedAt", title="recorded (UTC)", brief=brief_moment),
    Column("customerId", title="customer"),
    Column("type", vital=True),
    Column("points", number=True),
    Column("state", vital=True),
    Column("key", vital=True),
    Column("activePoints", number=True, title="service has"),
    Column("message", title="why"),
    Column("code", shown=False),
    Column("readAt", shown=False),
    Column("description", shown=False),
    Column("reference-id", shown=False),
    Column("importRun", shown=False),
    Column("recordedBy", shown=False),
)
_REPORT_FIELDS: Final = (
    "dryRun", "waiting", "sent", "alreadySent", "conflicts", "heldBack", "unknown", "pointsAdded", "pointsRedeemed",
    "refreshed", "retried", "dropped", "durationS",
)  # fmt: skip
_PULLED_FIELDS: Final = ("customers", "removed", "options", "pulledAt", "durationS")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of a push as typed; ``retry``, ``drop``: keys of conflicts, None: all of them."""

    retry: Sequence[str] | None
    drop: Sequence[str] | None
    dry_run: bool
    wait: bool
    concurrency: int | None
    rate: float | None

    @property
    def settles(self) -> bool:
        """Whether something is to become of conflicts."""
        return self.retry is None or self.drop is None or bool(self.retry) or bool(self.drop)


class Syncing:
    """The offline work of the profile in force. Raises `UsageError` where the profile has no service."""

    def __init__(self, session: Session) -> None:
        self._session = session
        session.settings.check_world()
        self._target = session.target
        self._ledger = session.own_ledger
        self._outbox = Outbox(self._ledger, self._target)
        self._mirror = Mirror(self._ledger, self._target)

    # -- status ----------------------------------------------------------------------------------------

    def status(self, limit: int) -> View:
        """What is not sent yet."""
        self._session.check_fields([column.name for column in _CHANGE_COLUMNS])
        counts, state = self._outbox.counts(), self._mirror.state()
        now = self._session.clock()
        self._tell_elsewhere()
        age_s = None if state.pulled_at is None else (now - state.pulled_at) // 1000
        document = {
            "schema": "rpctl.sync-status/1",
            "target": self._target,
            "waiting": counts.waiting,
            "conflicts": counts.conflicts,
            "heldBack": self._outbox.held_back(),
            "customers": counts.customers,
            "since": _moment(counts.since),
            "mirror": {"customers": state.customers, "pulledAt": _moment(state.pulled_at), "ageS": age_s},
            "changes": self._changes(limit),
        }
        return View(
            (document,),
            _CHANGE_COLUMNS,
            many=False,
            rows=lambda whole: whole["changes"],
            lead=lambda _: _lead(document),
        )

    def _open_rows(self) -> Iterator[Waiting]:
        after = 0
        while page := self._outbox.open_rows(after, _PAGE):
            yield from page
            after = page[-1].position

    def _changes(self, limit: int) -> list[dict[str, Any]]:
        held = {row.sending.customer_id for row in self._outbox.conflicts()}
        rows = list(islice(self._open_rows(), limit))
        unclear = self._unclear([row.key for row in rows])
        return [self._change(row, held) | ({"state": "unclear"} if row.key in unclear else {}) for row in rows]

    def _unclear(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys of which it could not be told whether their changes are in."""
        from rpctl.delivery.journal import State as Sent

        journal = self._session.journal(self._target)
        found = journal.find_all(keys) if keys and journal.is_made else {}
        return {key for key, row in found.items() if row.state is Sent.UNKNOWN}

    def _change(self, row: Waiting, held: set[str]) -> dict[str, Any]:
        """A change that is not sent: our side, and of a conflict the service's."""
        sending = row.sending
        document: dict[str, Any] = {
            "recordedAt": format_instant(row.recorded_at),
            "customerId": sending.customer_id,
            "type": "redeemed" if sending.kind == "redeem" else "added",
            "points": sending.points,
            "state": row.state.value,
            "key": row.key,
            "description": sending.description,
            "reference-id": sending.reference_id,
            "importRun": row.run,
            "recordedBy": row.who,
        }
        if row.state is not State.CONFLICT:
            return document | {"state": "held" if sending.customer_id in held else "waiting"}
        truth = self._mirror.truth(sending.customer_id)
        code, message = row.told or (None, None)
        return document | {
            "code": code,
            "message": message,
            "activePoints": None if truth is None else truth[0].active_points,
            "readAt": None if truth is None else format_instant(truth[1]),
        }

    # -- push ------------------------------------------------------------------------------------------

    def push(self, wanted: Wanted) -> View:
        """Sends what waits; exit status 3 while there are conflicts, 8 where something cannot be told."""
        session = self._session
        self._check_online()
        session.check_fields(_REPORT_FIELDS)
        if not wanted.dry_run:
            session.check_writable(_REPORT_FIELDS)
        with ExitStack() as stack:
            stack.enter_context(self._alone(wait=wanted.wait))
            outbox, mirror = self._outbox, self._mirror
            if wanted.dry_run and wanted.settles:
                copy = stack.enter_context(self._ledger.rehearsal())
                outbox, mirror = Outbox(copy, self._target), Mirror(copy, self._target)
            return self._push(wanted, outbox, mirror)

    def _push(self, wanted: Wanted, outbox: Outbox, mirror: Mirror) -> View:
        from rpctl.cli.importing import DEFAULT_CONCURRENCY
        from rpctl.sync.push import Push

        session, began = self._session, self._session.clock()
        retried, dropped = 0, 0
        if wanted.settles:
            retried, dropped = outbox.settle(wanted.retry, wanted.drop, self._unclear(wanted.drop or ()))
        pushed = None
        if outbox.counts().waiting or outbox.touched():
            bulk = session.bulk(wanted.concurrency or DEFAULT_CONCURRENCY, wanted.rate, writing=not wanted.dry_run)
            service = session.service
            progress = lambda done: session.terminal.progress(f"pushing {done:,} changes")  # noqa: E731
            push = Push(outbox, mirror, bulk, service, session.journal(self._target), session.surroundings, progress)
            pushed = push.rehearse() if wanted.dry_run else push.run()
        return self._pushed(wanted, outbox, pushed, {"retried": retried, "dropped": dropped}, began)

    def _pushed(
        self, wanted: Wanted, outbox: Outbox, pushed: Pushed | None, settled: dict[str, int], began: int
    ) -> View:
        from rpctl.sync.push import Pushed as Nothing

        found = pushed or Nothing()
        told = {row.key: error for row, error in found.conflicts}
        standing = outbox.conflicts()
        standing += [row for row, _ in found.conflicts] if wanted.dry_run else []
        held_back = outbox.held_back() + found.stuck + (found.held_back if wanted.dry_run else 0)
        document = {
            "schema": "rpctl.sync-push/1",
            "dryRun": wanted.dry_run,
            "waiting": found.waiting,
            "sent": found.sent,
            "alreadySent": found.already_sent,
            "conflicts": len(standing),
            "heldBack": held_back,
            "unknown": found.unknown,
            "pointsAdded": found.points_added,
            "pointsRedeemed": found.points_redeemed,
            "refreshed": found.refreshed,
            **settled,
            "durationS": (self._session.clock() - began) / 1000,
            "conflictList": [self._conflict(row, told.get(row.key)) for row in standing],
        }
        self._tell(document, wanted)
        columns = [Column(name, number=name != "dryRun") for name in _REPORT_FIELDS]
        status = 8 if found.unknown else 3 if standing else 0
        return View((document,), columns, many=False, exit_status=status)

    def _conflict(self, row: Waiting, error: RpctlError | None) -> dict[str, Any]:
        told = row.told or (None if error is None else (error.code, error.message))
        return self._change(row._replace(state=State.CONFLICT, told=told), set())

    def _tell_elsewhere(self) -> None:
        """Of a service under another address or tenant these are other books: what waits for it would be overlooked."""
        for target, count in self._outbox.elsewhere():
            url, _, tenant = target.partition(" ")
            waits = f"{_counted(count, 'change')} recorded here {'waits' if count == 1 else 'wait'}"
            self._session.terminal.warn(
                f"{waits} for tenant {tenant} at {url}, another service than this profile's: a profile for that sends "
                "what waits"
            )

    def _tell(self, document: dict[str, Any], wanted: Wanted) -> None:
        terminal = self._session.terminal
        conflicts = document["conflictList"]
        for one in conflicts[:_LISTED]:
            what = f"{one['type']} {one['points']} of customer {one['customerId']} (key {one['key']})"
            terminal.warn(f"conflict: {what}: {one['message']}")
        if len(conflicts) > _LISTED:
            terminal.warn(f"and {len(conflicts) - _LISTED} more; `rpctl sync status` lists them")
        if conflicts:
            retry = self._session.command("sync", "push", "--retry", "KEY")
            terminal.note(f"`{retry}` sends a conflict once more, --drop KEY gives it up")
        if document["unknown"]:
            terminal.warn(f"unknown: {_counted(document['unknown'], 'change')}; the same command looks again for them")
            terminal.note("`rpctl points history CUSTOMER` shows what is in; --drop KEY gives up what cannot be told")
        if not (document["waiting"] or conflicts):
            terminal.note("nothing waits to be sent")
        self._tell_elsewhere()
        if wanted.dry_run:
            terminal.note("dry run: nothing was changed")

    # -- pull ------------------------------------------------------------------------------------------

    def pull(self, customers: Sequence[str], *, wait: bool) -> View:
        """Fetches the service's truth."""
        from rpctl.sync.pull import pull_everybody, pull_some

        session, began = self._session, self._session.clock()
        self._check_online()
        session.check_fields(_PULLED_FIELDS)
        service = session.service
        if not customers and "everybody" not in service.capabilities:
            raise UnsupportedOperation(
                "The service lists no customers, so not everybody's points can be fetched.",
                "Name those you need: `rpctl sync pull CUSTOMER`. A push reads the customers of its changes anew.",
            )
        with self._alone(wait=wait):
            if customers:
                pulled = pull_some(service, self._mirror, list(dict.fromkeys(customers)), session.clock)
            else:
                told = lambda done: session.terminal.progress(f"fetching {done:,} customers")  # noqa: E731
                pulled = pull_everybody(service, self._mirror, session.settings.site, session.clock, told)
        for note in pulled.notes:
            session.terminal.warn(note)
        document = {
            "schema": "rpctl.sync-pull/1",
            "customers": pulled.customers,
            "removed": pulled.removed,
            "options": pulled.options,
            "pulledAt": _moment(began if customers else self._mirror.state().pulled_at),
            "durationS": (session.clock() - began) / 1000,
        }
        return View((document,), [Column(name, number=name != "pulledAt") for name in _PULLED_FIELDS], many=False)

    # -- one at a time ---------------------------------------------------------------------------------

    def _check_online(self) -> None:
        if self._session.settings.offline:
            raise UsageError(f"`{self._session.path}` talks to the service.", "Leave --offline out.")
        self._session.settings.check_world()

    def _alone(self, *, wait: bool) -> AbstractContextManager[None]:
        from rpctl.sync.turns import alone

        return alone(self._ledger, self._target, wait=wait)


def _lead(document: dict[str, Any]) -> str:
    mirror, conflicts = document["mirror"], document["conflicts"]
    told = "Nothing waits to be sent"
    if unsent := document["waiting"] + conflicts:
        whose = f"{_counted(unsent, 'change')} of {_counted(document['customers'], 'customer')}"
        told = f"Not sent: {whose}, since {document['since']}"
        told += f", {_counted(conflicts, 'conflict')} among them" if conflicts else ""
    if mirror["pulledAt"]:
        return f"{told}. Last pull: {mirror['pulledAt']}, {_counted(mirror['customers'], 'customer')}"
    return f"{told}. No pull yet: `rpctl sync pull` fetches the customers"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _moment(at: int | None) -> str | None:
    return None if at is None else format_instant(at)


def say_how_old(session: Session) -> None:
    """Tells whoever works offline what the answers rest on."""
    ledger, target = session.own_ledger, session.target
    state, counts = Mirror(ledger, target).state(), Outbox(ledger, target).counts()
    if state.pulled_at is None and state.customers:
        truth = f"what the service had of {_counted(state.customers, 'customer')} when each was fetched"
        session.offline_book.on_truth = lambda who, read_at: _say_when(session, who, read_at)
    elif state.pulled_at is None:
        truth = "nothing was fetched from the service yet"
    else:
        truth = f"what the service had on {_when(session, state.pulled_at)}"
    waits = f"{_counted(counts.waiting, 'change')} {'waits' if counts.waiting == 1 else 'wait'}"
    told = f"offline: {truth}; {waits if counts.waiting else 'nothing waits'} to be sent"
    if counts.conflicts:
        told += f"; without {_counted(counts.conflicts, 'conflict')} (`rpctl sync status`)"
    session.terminal.note(told)


def _say_when(session: Session, customer_id: str, read_at: Instant | None) -> None:
    if read_at is not None:
        session.terminal.note(f"customer {customer_id} was fetched on {_when(session, read_at)}")


def _when(session: Session, at: Instant) -> str:
    return f"{format_instant(at)[:16].replace('T', ' ')} UTC ({_age((session.clock() - at) // 1000)} ago)"


def _age(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(seconds, 0)} s"
