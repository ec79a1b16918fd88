"""Every way a command can end that is not success.

    RpctlError
    |- UsageError              2   the command line is wrong
    |  `- InvalidValue             an argument's value is
    |- NotLoggedIn             4   credentials are missing, wrong or expired
    |  |- CredentialsMissing, CredentialsWrong, TokenRefused
    |- NotFound                5
    |  |- CustomerNotFound, OptionNotFound, EntryNotFound, RunNotFound, ProfileNotFound
    |- Refused                 6   a rule says no; nothing was changed
    |  |- InsufficientPoints, ProgramDisabled, EarnsNothing
    |  |- KeyReused, CustomerDeleted, AlreadyImported
    |  |- CustomerExists, OptionExists, ProfileExists, StaleVersion
    |  |- AlreadyReversed, NotReversible, NothingToReverse, CouponIssued, NotExchangeable
    |  |- ConsentMissing, ReadOnlyProfile, UnsupportedOperation
    |  |- MissingScope, RequestRefused
    |  `- OutputExists             a file that would be written is there already
    |- InvalidInput            7   a file or the configuration is unusable; nothing was sent or changed
    |  |- InvalidFile              a CSV or document that was given
    |  |- InvalidConfig            the configuration file, a profile or RPCTL_* variable
    |  |- LedgerUnusable           not a ledger, newer than this program, or not writable
    |  |- JournalUnusable          the same of the journal of what was sent
    |  `- TlsFailed                the service's certificate is not trusted, or it speaks no TLS
    |- OutcomeUnknown          8   it was sent, and no answer settles it
    |  `- CouponCodeLost
    |- Temporary              75   the same command later goes on
    |  |- LedgerBusy, JournalBusy, JournalFailed, StorageFull, OutputLost
    |  |- ImportUnderWay, SyncUnderWay, DeliveryUnderWay
    |  |- ServiceUnreachable, ServiceUnavailable, RateLimited, TimedOut, AnswerInvalid
    `- Interrupted           130   Ctrl-C
       `- Terminated         143   SIGTERM

This module states what went wrong and what to do; it never prints and never decides what is shown.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self


class RpctlError(Exception):
    """A command's end that is not success.

    Arguments: ``message``, one line that says what happened and where; ``hint``, one line that says what to
    do (each class has a default); ``details``, facts for a program (JSON values).
    """

    code: ClassVar[str] = "unexpected"
    exit_status: ClassVar[int] = 1
    default_hint: ClassVar[str | None] = None
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, hint: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint if hint is not None else self.default_hint
        self.details = details
        self.http_status: int | None = None
        self.request: str | None = None

    def of_request(self, request: str, http_status: int | None = None) -> Self:
        """The same error, told of the request that it came from: its method and path, and the answer's status."""
        self.request = request
        self.http_status = http_status
        return self


# -- 2: usage ---------------------------------------------------------------------------------------------


class UsageError(RpctlError):
    """The command line is wrong."""

    code = "usage"
    exit_status = 2


class InvalidValue(UsageError):
    """An argument, an option or a cell has a value that is not allowed."""

    code = "invalid_value"


# -- 4: not logged in -------------------------------------------------------------------------------------


class NotLoggedIn(RpctlError):
    """Credentials are missing, wrong or expired."""

    code = "not_logged_in"
    exit_status = 4


class CredentialsMissing(NotLoggedIn):
    """No source has the credentials that the command needs."""

    code = "credentials_missing"
    default_hint = "`rpctl auth login` stores them; `rpctl help environment` lists the other sources."


class CredentialsWrong(NotLoggedIn):
    """The service does not know the client id, or the secret is not its own."""

    code = "credentials_wrong"
    default_hint = "`rpctl auth status` tells where the secret came from; `rpctl auth login` stores another one."


class TokenRefused(NotLoggedIn):
    """The service does not accept the token, and a new one was refused too or cannot be had."""

    code = "token_refused"
    default_hint = "`rpctl auth status` tells where the token came from and when it expires."


# -- 5: not found -----------------------------------------------------------------------------------------


class NotFound(RpctlError):
    """What the command names is not there."""

    code = "not_found"
    exit_status = 5


class CustomerNotFound(NotFound):
    """The customer has no reward points entry."""

    code = "customer_not_found"
    default_hint = "Check the id; `rpctl customer list --search TEXT` finds customers."


class OptionNotFound(NotFound):
    """No redeem option has this id."""

    code = "option_not_found"
    default_hint = "`rpctl options list` shows what there is."


class EntryNotFound(NotFound):
    """The customer has no added or redeemed points with this id."""

    code = "entry_not_found"
    default_hint = "`rpctl points history CUSTOMER` shows the ids."


class RunNotFound(NotFound):
    """No import run has this id."""

    code = "run_not_found"
    default_hint = "`rpctl imports list` shows what there is."


class ProfileNotFound(NotFound):
    """No profile has this name."""

    code = "profile_not_found"
    default_hint = "`rpctl profile list` shows what there is."


# -- 6: refused -------------------------------------------------------------------------------------------


class Refused(RpctlError):
    """A rule says no; nothing was changed."""

    code = "refused"
    exit_status = 6


class InsufficientPoints(Refused):
    """Fewer points can be redeemed than were asked for (``ledger.md`` rule 2: refused whole)."""

    code = "insufficient_points"
    default_hint = "Nothing was taken; `rpctl points explain CUSTOMER` shows lot by lot what is left."


class ProgramDisabled(Refused):
    """The site's reward program is switched off: adding is refused, redeeming is not."""

    code = "program_disabled"
    default_hint = "`rpctl program set --enable` switches it on."


class EarnsNothing(Refused):
    """The order value times the factor, rounded down, is no whole point."""

    code = "earns_nothing"
    default_hint = "`rpctl program show` tells the factor; points = order value x factor, rounded down."


class KeyReused(Refused):
    """The key belongs to another change."""

    code = "key_reused"
    is_elsewhere = False
    """Whether all that is known of the key is that the service has seen it."""
    default_hint = "A key stands for one change. Repeat that very change, or use another key for this one."


class CustomerDeleted(Refused):
    """The key belongs to a change of a customer who was deleted since; it brings nobody back."""

    code = "customer_deleted"
    default_hint = "If the customer is really new again, use another key."


class AlreadyImported(Refused):
    """Most rows of the file are in from an earlier run of another file, and would count twice."""

    code = "already_imported"
    default_hint = (
        "Take out the rows that are in; --again takes every row for a new change. A file that grows is imported with "
        "--key-from COLUMN from its first time on."
    )


class CustomerExists(Refused):
    """A customer that exists is not created again."""

    code = "customer_exists"
    default_hint = "`rpctl points add` adds to an existing customer."


class OptionExists(Refused):
    """A redeem option with this id exists."""

    code = "option_exists"
    default_hint = "`rpctl options update ID` changes it."


class ProfileExists(Refused):
    """A profile with this name exists."""

    code = "profile_exists"
    default_hint = "`rpctl profile delete NAME` makes room, or choose another name."


class StaleVersion(Refused):
    """Someone changed the redeem option since it was read."""

    code = "stale_version"
    default_hint = "Read it again with `rpctl options show ID` and repeat the update on what is there now."


class AlreadyReversed(Refused):
    """The entry was reversed before."""

    code = "already_reversed"
    default_hint = "Nothing was changed; `rpctl points history CUSTOMER` shows both entries."


class NotReversible(Refused):
    """The entry is itself a reversal."""

    code = "not_reversible"
    default_hint = "Book the change anew with `rpctl points add` or `rpctl points redeem`."


class NothingToReverse(Refused):
    """All of the entry's points are spent or expired."""

    code = "nothing_to_reverse"
    default_hint = "Nothing was changed; `rpctl points explain CUSTOMER` shows what became of them."


class CouponIssued(Refused):
    """The redemption paid for a coupon, which cannot be called back."""

    code = "coupon_issued"
    default_hint = "Withdraw the coupon in the shop first, then give the points back with `rpctl points add`."


class NotExchangeable(Refused):
    """Points are exchanged for PERCENT and ABSOLUTE coupons only."""

    code = "not_exchangeable"
    default_hint = "`rpctl options show ID` tells the coupon's discountType."


class ConsentMissing(Refused):
    """The command asks before it acts, and nobody can be asked."""

    code = "consent_missing"


class ReadOnlyProfile(Refused):
    """The profile is marked read-only."""

    code = "read_only_profile"
    default_hint = "Use another profile with --profile NAME."


class UnsupportedOperation(Refused):
    """The profile's backend cannot do this."""

    code = "unsupported_operation"


class MissingScope(Refused):
    """The service's answer says that the credentials lack a scope."""

    code = "missing_scope"
    default_hint = "Grant the scope to the API key in the service's administration, then `rpctl auth login` again."


class RequestRefused(Refused):
    """The service does not accept the request (400, 403, 409 or another 4xx, or an outcome that it answers with 200);
    nothing was changed. ``outcome``: the code and the symbolic name of such an outcome."""

    code = "request_refused"
    outcome: tuple[str, str] | None = None


class OutputExists(Refused):
    """A file that the command would write is there already."""

    code = "file_exists"
    default_hint = "Nothing is ever overwritten: name another file, or move this one away."


# -- 7: invalid input or configuration --------------------------------------------------------------------


class InvalidInput(RpctlError):
    """A file or the configuration cannot be used; nothing was sent or changed."""

    code = "invalid_input"
    exit_status = 7


class InvalidFile(InvalidInput):
    """A file that was given is absent, unreadable, of the wrong kind or lacks something."""

    code = "invalid_file"


class InvalidConfig(InvalidInput):
    """The configuration file, a profile or an RPCTL_* variable is wrong."""

    code = "invalid_config"


class LedgerUnusable(InvalidInput):
    """The ledger file is no ledger, a newer one than the program knows, or cannot be opened or written."""

    code = "ledger_unusable"


class JournalUnusable(InvalidInput):
    """The journal of what was sent cannot be opened or written, or is newer than the program knows."""

    code = "journal_unusable"
    default_hint = (
        "Check the state directory's permissions; `rpctl doctor` names it. Without a journal nothing is sent."
    )


class TlsFailed(InvalidInput):
    """The service's certificate is not trusted, or what answers speaks no TLS. Nothing was sent."""

    code = "tls_failed"
    default_hint = "Check the URL. SSL_CERT_FILE names the certificates to trust where the service has its own."


# -- 8: outcome unknown -----------------------------------------------------------------------------------


class OutcomeUnknown(RpctlError):
    """The change was sent, and no answer and no look at the service settles whether it is in."""

    code = "outcome_unknown"
    exit_status = 8


class CouponCodeLost(OutcomeUnknown):
    """Points were taken for a coupon, and its code was not received."""

    code = "coupon_code_lost"


# -- 3, 75, 130 -------------------------------------------------------------------------------------------


class Temporary(RpctlError):
    """It could not be done now; the same command later goes on."""

    code = "temporary"
    exit_status = 75
    retryable = True


class LedgerBusy(Temporary):
    """Another process kept the ledger for longer than the time-out."""

    code = "ledger_busy"
    default_hint = "Try the same command again; nothing of it was written."


class JournalBusy(Temporary):
    """Another process kept the journal of what was sent for longer than the time-out."""

    code = "journal_busy"
    default_hint = "Try the same command again; what was reported done is safe."


class JournalFailed(Temporary):
    """The disk failed where the journal lies, or lets it not grow."""

    code = "journal_failed"
    default_hint = "Check the disk, then run the same command again; what was reported done is safe."


class ImportUnderWay(Temporary):
    """Another process imports the same file, or undoes what it applied."""

    code = "import_under_way"
    default_hint = "Try again when it is done, or wait for it with --wait."


class SyncUnderWay(Temporary):
    """Another process is pushing or pulling; ``--wait`` waits for it."""

    code = "sync_under_way"
    default_hint = "Wait until it is done, or add --wait."


class DeliveryUnderWay(Temporary):
    """Another process is sending the change with this key."""

    code = "delivery_under_way"
    default_hint = "Try again when it is done: the key counts once."


class ServiceUnreachable(Temporary):
    """No connection to the service: no such host, refused, or no route. Nothing was sent."""

    code = "service_unreachable"
    default_hint = "Check the URL (`rpctl config show`) and the network, then run the same command again."


class ServiceUnavailable(Temporary):
    """The service answers that it cannot work now (a 5xx), after several tries."""

    code = "service_unavailable"
    default_hint = "Run the same command again later."


class RateLimited(Temporary):
    """The service asks to slow down (429), after several tries."""

    code = "rate_limited"
    default_hint = "Run the same command again later."
    retry_after_s: float | None = None
    """How long it asks to wait, from its answer on; None where it does not say."""


class TimedOut(Temporary):
    """The service did not answer in time."""

    code = "timed_out"
    default_hint = "Run the same command again later; RPCTL_TIMEOUT_S allows more time."


class AnswerInvalid(Temporary):
    """What answers is not the service's JSON: a proxy's page, half a document, or garbage."""

    code = "answer_invalid"
    default_hint = "Check the URL (`rpctl config show`); if it is right, run the same command again later."


class StorageFull(Temporary):
    """The disk is full."""

    code = "storage_full"
    default_hint = "Make room, then run the same command again; what was reported done is safe."


class OutputLost(Temporary):
    """The answer could not be written: the disk behind stdout is full, say."""

    code = "output_lost"
    default_hint = "What the command changed is changed; make room where the output goes, then run it again."


class Interrupted(RpctlError):
    """A person or the system stopped the command."""

    code = "interrupted"
    exit_status = 130
    retryable = True
    default_hint = "What was reported done is safe; the same command goes on where it stopped."


class Terminated(Interrupted):
    """The system stopped the command (SIGTERM)."""

    code = "terminated"
    exit_status = 143
