"""The operations of a signed-in customer (8 to 11), with the customer's own token and never with the service's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rpctl.backends.emporix.answers import clear, number_of, parsed, succeeded
from rpctl.backends.emporix.backend import ROOT
from rpctl.backends.emporix.problems import Problem, is_absent
from rpctl.backends.port import Unsettled
from rpctl.backends.problems import is_unclear
from rpctl.domain.points import Summary
from rpctl.errors import OptionNotFound

if TYPE_CHECKING:
    from rpctl.auth.credentials import Credentials
    from rpctl.backends.http import Answer, Http

_PATH: Final = f"{ROOT}/public/customer"


class Storefront:
    """One customer, who is whom the token says."""

    def __init__(self, http: Http, credentials: Credentials) -> None:
        self._http = http
        self._credentials = credentials

    def active_points(self) -> int:
        """My points (operation 8); the service answers 404 to one who never had any: 0."""
        answer = self._read(_PATH)
        return 0 if is_absent(answer) else number_of(succeeded(answer, 200))

    def summary(self) -> Summary:
        """My summary (operation 9); the service answers 404 to one who never had points: an empty one."""
        from rpctl.backends.emporix import wire
        from rpctl.backends.emporix.translate import summary_of

        answer = self._read(f"{_PATH}/summary")
        if is_absent(answer):
            return Summary("", 0)
        return summary_of(parsed(wire.SUMMARY.validate_json, answer))

    def redeem(self, option_id: str, site_code: str) -> str:
        """Exchanges my points for a coupon and returns its code (operation 10). Sent once, never again.

        Raises `OptionNotFound`, `RequestRefused` (too few points among other reasons), `Unsettled`.
        """
        from rpctl.backends.emporix import wire
        from rpctl.errors import AnswerInvalid

        answer = self._http.request(
            "POST", f"{_PATH}/redeem", auth=self._credentials.customer(), params={"siteCode": site_code},
            json={"id": option_id}, safe=False,
        )  # fmt: skip
        if is_unclear(answer):
            raise Unsettled(f"the service answered {answer.request} with {answer.status}", answered=False)
        if is_absent(answer):  # the option, or points of this customer: the service tells which
            said = Problem(answer.body).message
            raise OptionNotFound(f"Redeem option {option_id} cannot be had: {said}").of_request(answer.request, 404)
        clear(answer, 200)
        try:
            return parsed(wire.COUPON_CODE.validate_json, answer).code
        except AnswerInvalid as error:
            raise Unsettled(error.message, answered=False) from error

    def _read(self, path: str) -> Answer:
        return self._http.request("GET", path, auth=self._credentials.customer())
