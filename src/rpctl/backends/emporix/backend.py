"""The port's operations on the Emporix Reward Points Service, a method per operation.

Every method sends one request (a program's change reads before it writes); what becomes of one that was not clearly
answered is for `rpctl.delivery` to find out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rpctl.backends.emporix.answers import (
    clear,
    elements,
    encoded,
    loaded,
    number_of,
    options_in,
    parsed,
    settings_in,
    succeeded,
    validated,
)
from rpctl.backends.emporix.problems import is_absent, is_failure, is_no_mixin
from rpctl.backends.paths import segment
from rpctl.backends.port import Receipt, Tombstone, Unsettled, target_of, tombstone_of
from rpctl.backends.problems import is_unclear, no_customer, told_of
from rpctl.errors import AnswerInvalid, CustomerExists, OptionNotFound, RequestRefused, StaleVersion

if TYPE_CHECKING:
    from rpctl.auth.credentials import Credentials
    from rpctl.backends.http import Answer, Http
    from rpctl.backends.port import Sending
    from rpctl.domain.points import Summary
    from rpctl.domain.program import Program
    from rpctl.domain.redeem_options import Document, RedeemOption

    T = TypeVar("T")

ROOT: Final = "/reward-points"
_OK: Final = 200
_CREATED: Final = 201
_NO_CONTENT: Final = 204
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_BAD_REQUEST: Final = 400
_CONFLICT: Final = 409

_EMPLOYEE: Final = "Employees delete redeem options: `rpctl auth login --employee --token-stdin` stores a token."


class EmporixBackend:
    """A tenant's points. ``writing``: the token may change things; reading asks for the view scope only."""

    capabilities = frozenset(
        {"options", "program", "customers", "dates", "references", "reversals", "everybody", "storefront"}
    )
    keeps_keys = False

    def __init__(self, http: Http, credentials: Credentials, tenant: str, *, writing: bool = False) -> None:
        self._http = http
        self._credentials = credentials
        self._tenant = tenant
        self.writing = writing
        self.target = target_of(http.base_url, tenant)

    def twin(self) -> EmporixBackend:
        """The same books for another thread: with a client of its own that sends by the thousand, see `Http.twin`."""
        return EmporixBackend(self._http.twin(), self._credentials, self._tenant, writing=self.writing)

    # -- points ----------------------------------------------------------------------------------------

    def check(self, sending: Sending) -> None:
        """See the port: the service says itself what it does not take."""

    def send(self, sending: Sending, leaving: Callable[[], None], *, patient: bool = True) -> Receipt:
        """See the port: operations 3, 6 and 7. Their answers have no body."""
        from rpctl.backends.emporix.translate import body_of

        path = f"{ROOT}/customer/{segment(sending.customer_id)}"
        params = {"siteCode": sending.site_code} if sending.site_code else None
        if sending.kind == "create":
            body: dict[str, Any] = {"customerId": sending.customer_id, "startPoints": body_of(sending)}
            self._create(sending.customer_id, self._write("POST", path, body, params, leaving, patient))
        elif sending.kind == "add":
            clear(self._write("POST", f"{path}/addPoints", body_of(sending), params, leaving, patient), _CREATED)
        else:
            clear(self._write("POST", f"{path}/redeemPoints", body_of(sending), None, leaving, patient), _CREATED)
        return Receipt()

    def active_points(self, customer_id: str) -> int:
        """See the port: operation 2. It documents no 404; the summary tells whether the customer is there."""
        answer = self._read(f"{ROOT}/customer/{segment(customer_id)}")
        if is_absent(answer):
            raise no_customer(customer_id, answer)
        if answer.status == _BAD_REQUEST:
            return self.summary(customer_id).active_points
        return number_of(succeeded(answer, _OK))

    def summary(self, customer_id: str) -> Summary:
        """See the port: operation 5."""
        from rpctl.backends.emporix import wire
        from rpctl.backends.emporix.translate import summary_of

        answer = self._read(f"{ROOT}/customer/{segment(customer_id)}/summary")
        if is_absent(answer):
            raise no_customer(customer_id, answer)
        return summary_of(parsed(wire.SUMMARY.validate_json, answer))

    def summaries(self, limit: int | None = None) -> Iterator[Summary]:
        """See the port: operation 1, in the service's order, read while it comes."""
        from itertools import islice

        from rpctl.backends.emporix import wire
        from rpctl.backends.emporix.translate import summary_of

        path = f"{ROOT}/summaryBatch"
        with self._http.stream(path, auth=self._auth()) as (answer, readable):
            if readable is None:
                succeeded(answer, _OK)
                raise AssertionError("an answer of 200 is read while it comes")
            for document in islice(elements(readable, answer), limit):
                yield summary_of(validated(wire.SUMMARY.validate_python, document, answer))

    def customers(self, search: str | None = None, limit: int | None = None) -> Iterator[tuple[str, int]]:
        """See the port: operation 1 once more, which is the only list there is."""
        from itertools import islice

        found = (
            (one.customer_id, one.active_points)
            for one in self.summaries()
            if search is None or search.casefold() in one.customer_id.casefold()
        )
        yield from islice(found, limit)

    # -- customers -------------------------------------------------------------------------------------

    def create_customer(self, customer_id: str) -> None:
        """See the port: operation 3."""
        self._create(
            customer_id, self._write("POST", f"{ROOT}/customer/{segment(customer_id)}", {"customerId": customer_id})
        )

    @staticmethod
    def _create(customer_id: str, answer: Answer) -> None:
        if answer.status == _CONFLICT:
            raise told_of(answer, CustomerExists(f"Customer {customer_id} exists.", customerId=customer_id))
        clear(answer, _OK)

    def delete_customer(self, customer_id: str) -> Tombstone:
        """See the port: operation 4. What is lost is read before."""
        before = self.summary(customer_id)
        answer = self._write("DELETE", f"{ROOT}/customer/{segment(customer_id)}")
        if is_absent(answer):
            raise no_customer(customer_id, answer)
        clear(answer, _OK)
        return tombstone_of(before)

    # -- redeem options --------------------------------------------------------------------------------

    def options(self) -> list[RedeemOption]:
        """See the port: operation 11."""

        answer = self._read(self._options_path())
        return options_in(answer)

    def create_option(self, document: Document) -> RedeemOption:
        """See the port: operation 12. The service answers with a list, in which the option has the id that it was sent
        with, or is the only one."""
        from rpctl.domain.redeem_options import check_option

        body = check_option(document) | ({"id": document["id"]} if document.get("id") else {})
        answer = clear(self._write("POST", self._options_path(), body), _OK)
        try:
            made = options_in(answer)
        except AnswerInvalid as error:  # it is made all the same
            raise Unsettled(error.message, answered=False) from error
        made = [option for option in made if option.id == body.get("id")] or made
        if len(made) != 1:
            raise Unsettled("the service did not answer with the redeem option that it made", answered=True)
        return made[0]

    def update_option(self, option_id: str, version: int, document: Document) -> RedeemOption:
        """See the port: operation 13, with the version that was read. Unknown fields are sent as they are."""
        from rpctl.domain.redeem_options import check_option

        body = check_option(document)
        metadata = dict(document.get("metadata") or {}) | {"version": version}
        body |= {"id": option_id, "metadata": metadata}
        answer = self._write("PUT", f"{self._options_path()}/{segment(option_id)}", body)
        if answer.status == _CONFLICT:
            told = f"Redeem option {option_id} has changed since version {version}."
            raise told_of(answer, StaleVersion(told, sentVersion=version))
        if is_absent(answer):
            raise told_of(answer, OptionNotFound(f"There is no redeem option {option_id}."))
        clear(answer, _OK)
        for option in self.options():
            if option.id == option_id:
                return option
        raise OptionNotFound(f"Redeem option {option_id} was updated and is gone.")

    def delete_option(self, option_id: str) -> None:
        """See the port: operation 14, which wants an employee's token."""
        answer = self._write("DELETE", f"{self._options_path()}/{segment(option_id)}")
        if is_absent(answer):
            raise told_of(answer, OptionNotFound(f"There is no redeem option {option_id}."))
        try:
            clear(answer, _NO_CONTENT, _OK)
        except RequestRefused as error:
            if answer.status == _FORBIDDEN:
                error.hint = _EMPLOYEE
            raise

    def _options_path(self) -> str:
        return f"{ROOT}/{segment(self._tenant)}/redeemOptions"

    # -- program ---------------------------------------------------------------------------------------

    def program(self, site_code: str) -> Program:
        """See the port: the site's mixin ``couponSettings``, key ``rewardpoints``."""
        from rpctl.backends.emporix.translate import program_of

        mixin, answer = self._mixin(site_code)
        return program_of(site_code, settings_in(mixin, answer))

    def set_program(self, site_code: str, settings: dict[str, Any]) -> Program:
        """See the port. Only the key ``rewardpoints`` is sent, whole: the mixin's other keys are not ours. Safe to
        repeat."""
        from rpctl.auth.credentials import SITE
        from rpctl.backends.emporix.translate import program_of, settings_body

        mixin, answer = self._mixin(site_code)
        settings_in(mixin, answer)
        before = mixin.get("rewardpoints") if mixin else None
        after = settings_body(before or {}, settings)
        path = self._mixin_path(site_code)
        for method in ("PATCH", "PUT"):  # what is not there yet may have to be put there
            answer = self._http.request(
                method, path, auth=self._credentials.service([SITE]), content=encoded({"rewardpoints": after}),
                headers={"Content-Type": "application/json"},
            )  # fmt: skip
            if mixin is not None or answer.status not in (_NOT_FOUND, 405):
                break
        succeeded(answer, _OK, _CREATED, _NO_CONTENT)
        return program_of(site_code, settings_in({"rewardpoints": after}, answer))

    def _mixin(self, site_code: str) -> tuple[dict[str, Any] | None, Answer]:
        """The mixin, None where there is none."""
        from rpctl.auth.credentials import SITE

        answer = self._http.request("GET", self._mixin_path(site_code), auth=self._credentials.service([SITE]))
        if is_no_mixin(answer):
            return None, answer
        mixin = loaded(succeeded(answer, _OK))
        return mixin, answer

    def _mixin_path(self, site_code: str) -> str:
        return f"/site/{segment(self._tenant)}/sites/{segment(site_code)}/mixins/couponSettings"

    # -- requests --------------------------------------------------------------------------------------

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _auth(self) -> Any:
        from rpctl.auth.credentials import MANAGE, VIEW

        return self._credentials.service([VIEW, MANAGE] if self.writing else [VIEW])

    def _read(self, path: str) -> Answer:
        return self._http.request("GET", path, auth=self._auth())

    def _write(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: dict[str, str] | None = None,
        leaving: Callable[[], None] | None = None,
        patient: bool = True,
    ) -> Answer:
        """One request that is not repeated. Raises `Unsettled` where its answer tells nothing."""
        answer = self._http.request(
            method, path, auth=self._auth(), params=params, json=body, safe=False, leaving=leaving, patient=patient
        )
        if is_unclear(answer):
            raise Unsettled(
                f"the service answered {answer.request} with {answer.status}",
                answered=is_failure(answer),
                answer=(answer.request, answer.status),
            )
        return answer
