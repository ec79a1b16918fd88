"""What a backend can do: the Protocol that every backend fills, and the errors each method raises.

Besides the errors they name, methods of a ledger may raise `LedgerUnusable`, `LedgerBusy` and `StorageFull`, and those
of a service what `rpctl.backends.http` raises, `NotLoggedIn`, `MissingScope` and `RequestRefused`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from rpctl.domain.markers import with_token
from rpctl.domain.points import description_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from rpctl.domain.changes import Change
    from rpctl.domain.outcomes import Outcome
    from rpctl.domain.points import Summary
    from rpctl.domain.program import Program
    from rpctl.domain.redeem_options import Coupon, Document, RedeemOption
    from rpctl.domain.values import Instant

    Record = Callable[[], Document | None]
    """The report of an import run so far; None: what is recorded tells more."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a deleted customer: counts and sums, no name."""

    entries: int
    points_added: int
    points_redeemed: int
    points_left: int
    erased_fully: bool = True
    """False where the text could not be wiped at once, because someone still reads what was before."""


def tombstone_of(summary: Summary) -> Tombstone:
    """What a customer had, as counts and sums."""
    added, redeemed = summary.added, summary.redeemed
    return Tombstone(
        len(added) + len(redeemed),
        sum(one.points for one in added),
        sum(one.points for one in redeemed),
        summary.active_points,
    )


class Writes(Protocol):
    """What changes something other than points."""

    def create_customer(self, customer_id: str) -> None:
        """A new customer without points (operation 3); with points it is an `AddPoints` for `Customers.NEW`.
        Raises `CustomerExists`."""
        ...

    def delete_customer(self, customer_id: str) -> Tombstone:
        """Removes the customer's points and personal text (operation 4). Raises `CustomerNotFound`."""
        ...

    def create_option(self, document: Document) -> RedeemOption:
        """A new redeem option (operation 12). Raises `InvalidValue`, `OptionExists`."""
        ...

    def update_option(self, option_id: str, version: int, document: Document) -> RedeemOption:
        """The whole option anew, if it still has this version (operation 13). Raises `InvalidValue`,
        `OptionNotFound`, `StaleVersion`."""
        ...

    def delete_option(self, option_id: str) -> None:
        """Removes a redeem option (operation 14). Raises `OptionNotFound`."""
        ...

    def set_program(self, site_code: str, settings: dict[str, Any]) -> Program:
        """Changes the named fields of `Program` for a site and keeps the others."""
        ...


class Backend(Writes, Protocol):
    """Reward points of many customers behind one door: everything but the changes of points themselves, which a
    `Book` applies once by their keys and which `rpctl.delivery` sends to a `Service`."""

    capabilities: frozenset[str]
    """Names of what this backend can do beyond points: ``options``, ``program``, ``exchange``, ``customers``,
    ``reason`` (it keeps an internal reason), ``reason_needed`` (it takes no change without one), ``dates`` (it is told
    when a change was made and how long points are valid), ``references`` (and the order that they come from),
    ``reversals`` (and what is left of an entry), ``everybody`` (it lists all customers), ``storefront`` (a signed-in
    customer's own operations)."""

    def active_points(self, customer_id: str) -> int:
        """What can be redeemed now (operation 2). Raises `CustomerNotFound`."""
        ...

    def summary(self, customer_id: str) -> Summary:
        """Everything of one customer (operation 5). Raises `CustomerNotFound`, certain or not."""
        ...

    def summaries(self, limit: int | None = None) -> Iterator[Summary]:
        """Everybody's summary, streamed; on a ledger in the order of the ids (operation 1)."""
        ...

    def customers(self, search: str | None = None, limit: int | None = None) -> Iterator[tuple[str, int]]:
        """Customer ids and active points, streamed in the order of `summaries`; ``search``: part of the id."""
        ...

    def options(self) -> list[RedeemOption]:
        """All redeem options (operation 11)."""
        ...

    def program(self, site_code: str) -> Program:
        """The site's settings, or the defaults with ``configured=False``."""
        ...

    def close(self) -> None:
        """Lets go of what is open."""
        ...


class Batch(list["Change"]):
    """Changes that are handed over together; ``lines``: where in the file each of them stands."""

    __slots__ = ("lines",)

    def __init__(self, changes: Iterable[Change] = (), lines: Iterable[int] = ()) -> None:
        super().__init__(changes)
        self.lines = list(lines)


class Applies(Protocol):
    """Where the changes of an import go: a ledger itself, or what delivers to a service."""

    capabilities: frozenset[str]
    """See `Backend`."""

    is_atomic: bool
    """Whether nothing is applied of what belongs together where some of it is refused. Where not, `apply` and
    `apply_batches` with ``all_or_nothing`` end soon after a refusal, and what was applied before it stays."""

    def survey(self, batches: Iterable[Sequence[Change]], rows: int, *, applies: bool) -> None:
        """Is told all changes, at most ``rows``, before any is rehearsed or applied; where keys are not kept, what is
        in already is looked for now. ``applies``: what is unclear from before is settled too. A backend that keeps keys
        does not look at them."""
        ...

    def apply(
        self,
        changes: Sequence[Change],
        *,
        run: str | None = None,
        entries: bool = True,
        all_or_nothing: bool = False,
        record: Record | None = None,
    ) -> list[Outcome]:
        """Applies the changes in their order, each exactly once by its key; an outcome for each, in order.

        What a rule refuses is a `Refused` outcome and never an exception, so that one bad change harms no
        other. ``run`` is the import run they belong to, and ``record`` answers with its report so far, to be kept
        together with them; with ``entries=False`` the outcomes carry no entry.

        With ``all_or_nothing`` nothing at all is written where a change is refused; the outcomes then tell what
        each would have come to, without entries. An order value that earns nothing (`EarnsNothing`) does not
        count as refused in this: nothing is the right amount for it.
        """
        ...

    def apply_batches(
        self,
        batches: Iterable[Sequence[Change]],
        *,
        run: str | None = None,
        all_or_nothing: bool = False,
        record: Record | None = None,
    ) -> Iterator[list[Outcome]]:
        """Applies batch after batch as `apply` does, but tells neither entries nor who is new. Answers with the
        outcomes in order, a list whenever some are settled; a backend may take the next batch before the one before
        is settled.

        ``record`` answers with the run's report so far, to be kept together with what is settled next. With
        ``all_or_nothing`` the first outcomes that have a refusal among them are the last, and nothing of what they
        belong to is applied.
        """
        ...

    def rehearsal(self) -> AbstractContextManager[Applies]:
        """The same in the same state, on which everything can be tried, and nothing of it lasts."""
        ...


class Book(Applies, Backend, Protocol):
    """A backend that keeps keys: a change and its key are one transaction."""

    def coupon(self, code: str) -> Coupon:
        """An issued coupon by its code, as `RedeemedPoints.coupon_code` names it."""
        ...


class Sending(NamedTuple):
    """A change of points as it leaves for a service: ``kind`` is ``add``, ``redeem`` or ``create`` (a new customer with
    starting points). ``entry_id`` and ``token`` are what it will be known by (`rpctl.domain.markers`); the token goes
    with it only where it is ``tagged``. ``reverses``: the entry that it takes back, of which ``short`` points are not
    to be had. ``valid_until`` None: what the service's program says; NEVER: no end. ``ends_at``: when that is, as far
    as it is known; it is not sent. ``key``: the change's own, where the service keeps it; ``reason``: why, for internal
    use."""

    kind: str
    customer_id: str
    points: int
    entry_id: str
    token: str
    tagged: bool = True
    description: str | None = None
    reference_id: str | None = None
    created_at: Instant | None = None
    valid_until: Instant | None = None
    site_code: str | None = None
    short: int = 0
    reverses: str | None = None
    ends_at: Instant | None = None
    key: str = ""
    reason: str | None = None

    def is_past(self, at: Instant) -> bool:
        """Whether the points' validity is over by then, as far as that is known."""
        end = self.ends_at if self.valid_until is None else self.valid_until
        return end is not None and end <= at

    @property
    def text(self) -> str | None:
        """The description as it leaves. The token takes the place of what the service would have written by itself, so
        that is written here."""
        if not self.tagged:
            return self.description
        own = description_of(redeemed=self.kind == "redeem", reference_id=self.reference_id)
        return with_token(self.description or own, self.token)


class Receipt(NamedTuple):
    """What a service tells beside the success of a change. ``warning``: what it remarks on it, in a sentence;
    ``active_points``: what the customer has now; ``is_only``: that it is the customer's only change so far."""

    warning: str | None = None
    active_points: int | None = None
    is_only: bool = False


class Unsettled(Exception):
    """A change was sent and its answer does not tell whether it is in. ``answered``: the service said that it failed;
    otherwise nothing, or nothing of the service's own, came back and it may still be at work on it. ``since_s``: how
    long ago it left, at least; ``answer``: the request and its answer's status, where there was one."""

    def __init__(
        self,
        message: str,
        *,
        answered: bool,
        since_s: float = 0.0,
        answer: tuple[str, int | None] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.answered = answered
        self.since_s = since_s
        self.answer = answer


def target_of(url: str, tenant: str) -> str:
    """Which books these are, the same on every machine: what keys and markers are good for."""
    return f"{url} {tenant}"


class Service(Backend, Protocol):
    """A backend that promises nothing about a request that is sent twice. A method that changes something may raise
    `Unsettled` besides what it names."""

    target: str
    """See `target_of`."""

    keeps_keys: bool
    """Whether it keeps the key that goes with a change. Sent with the same key again a change is refused with the
    outcome (`RequestRefused`) that stands for a used key, and nothing is changed. Where not, a change is known by its
    marks only (`rpctl.domain.markers`)."""

    def check(self, sending: Sending) -> None:
        """That the service takes such a change, as far as that is known before it is sent. Raises `InvalidValue`,
        `UnsupportedOperation`."""
        ...

    def send(self, sending: Sending, leaving: Callable[[], None], *, patient: bool = True) -> Receipt:
        """Sends a change of points once (operations 3, 6, 7); ``leaving`` is called whenever the request is about to
        leave, and ends it by what it raises. Returns after the documented success. Where the service asks to slow
        down, it is waited for and asked again while there is time; not ``patient``: this is told at once.

        Raises `ServiceUnreachable`, `RateLimited` (with its ``retry_after_s``) and `NotLoggedIn` where it was never
        applied, `CustomerExists` and `RequestRefused` where the service refuses it, `Unsettled`."""
        ...


class FileContent(NamedTuple):
    """What an import run remembers of its file: the digest of the parsed cells; the generation of its keys (0, and
    one more whenever the same file was meant anew); a sample of its rows' digests; where the keys came from, as text
    that differs where they do, empty for the content itself."""

    digest: bytes
    generation: int
    sample: bytes
    keys: str = ""


class EarlierRun(NamedTuple):
    """An import run as the next one needs to know it; ``applied``: rows that it applied or found applied, ``own``:
    those that it applied itself; ``undone_at``: when its undoing was begun, which may go on (``is_undoing``)."""

    run: str
    started_at: Instant
    finished: bool
    undone_at: Instant | None
    file: str
    applied: int
    own: int
    content: FileContent
    is_undoing: bool = False


class SoFar(NamedTuple):
    """How far a run had come when it is gone on with: the place of the last entry of all there are, and how many
    entries are its own."""

    last_position: int
    entries: int


class KeptRun(NamedTuple):
    """An import run with all that is kept of it; ``request`` and ``undo`` are None where they never were or were
    pruned. ``undo_begun_at`` is set as soon as something may be undone, ``undone_at`` when everything is."""

    run: str
    started_at: Instant
    finished_at: Instant | None
    undo_begun_at: Instant | None
    undone_at: Instant | None
    file: str
    content: FileContent
    report: Document
    request: Document | None
    undo: Document | None


class ImportRuns(Protocol):
    """Where import runs are recorded."""

    def claim(self, content: bytes, *, wait: bool) -> AbstractContextManager[None]:
        """Work on the file with this digest is ours alone, until the end of the context or of the process;
        ``wait``: until another process is done with it. Raises `ImportUnderWay`."""
        ...

    def start_run(
        self, run: str, now: Instant, file: str, content: FileContent, report: Document, request: Document
    ) -> None:
        """A new run, unfinished; ``request`` is what it takes to go on with it."""
        ...

    def go_on(self, run: str, request: Document) -> SoFar:
        """The run is gone on with, as it is asked for now. Raises `RunNotFound`."""
        ...

    def earlier_runs(self) -> Iterator[EarlierRun]:
        """The runs so far, the latest first."""
        ...

    def has_entries(self, run: str) -> bool:
        """Whether something of what the run applied is there; its report may be a transaction behind."""
        ...

    def save_run(self, run: str, report: Document, finished_at: Instant | None, *, at_once: bool = False) -> None:
        """How far a run has come (``finished_at`` None), or how it ended; ``at_once``: without waiting for others."""
        ...

    def kept_run(self, run: str) -> KeptRun:
        """One run by its id or an unambiguous beginning of it, with all that is kept. Raises `RunNotFound`."""
        ...

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the latest first: each its report with ``run``, ``startedAt``, ``finishedAt``, ``undoneAt``."""
        ...

    def run(self, run: str) -> dict[str, Any]:
        """One run by its id or an unambiguous beginning of it. Raises `RunNotFound`."""
        ...

    def forget_request(self, run: str) -> None:
        """Removes the personal text that is kept of a run: its request, the report of its undoing, its folders."""
        ...


class RunEntries(NamedTuple):
    """How many entries a run has, how many of them its undo reversed, and how many something else did before;
    ``unclear``: rows besides of which it is not known whether they are in."""

    entries: int
    reversed: int
    reversed_before: int
    unclear: int = 0


class Undone(NamedTuple):
    """What the undoing of a run came to for one customer, in points: taken back of what was added, given back of
    what was redeemed, and not to be had back because it is spent, expired, or was refused; ``unknown``: what became of
    them cannot be told."""

    customer_id: str
    taken_back: int
    given_back: int
    spent: int
    expired: int
    refused: int
    unknown: int = 0


class UndoableRuns(ImportRuns, Protocol):
    """Import runs whose entries can be reversed."""

    def run_entries(self, run: str) -> RunEntries:
        """What there is to undo."""
        ...

    def undo(self, run: str, now: Instant) -> Iterator[int]:
        """Marks the run, so that it is not gone on with from now on, and reverses its entries, the latest first: how
        many were looked at, some at a time. Done, it does nothing; stopped, the same goes on."""
        ...

    def rehearsal(self) -> AbstractContextManager[UndoableRuns]:
        """The same in the same state, on which undoing can be tried, and nothing of it lasts."""
        ...

    def undone(self, run: str) -> Iterator[Undone]:
        """What the undo came to, a customer at a time in the order of the ids."""
        ...

    def finish_undo(self, run: str, now: Instant, report: Document) -> None:
        """The run is undone."""
        ...
