"""Patience with a service: what is tried again, after which pauses, and what `Retry-After` asks for."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from rpctl.backends.port import Unsettled
from rpctl.backends.unanswered import Lost, told_of
from rpctl.errors import RateLimited, RpctlError, ServiceUnavailable, ServiceUnreachable

if TYPE_CHECKING:
    from rpctl.backends.http import Answer

LEAST_S: Final = 0.05
"""The shortest time that a request is given."""

_MAX_TRIES: Final = 8
_MAX_CONNECTIONS: Final = 4  # who is not there is told soon
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 8.0


class Waiting(NamedTuple):
    """How long an answer may take. ``whole_s``: a request with all its tries, a change's answer included."""

    whole_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


class Asking(NamedTuple):
    """A request that may be sent several times; ``told``: as ``GET /path``; ``safe``: sending it again harms nobody;
    ``once_only``: whatever its answer is; not ``patient``: a 429 is the last, one to a request for a token too."""

    told: str
    base_url: str
    safe: bool
    once_only: bool = False
    patient: bool = True

    def is_worth_another(self, answer: Answer) -> bool:
        """Whether an answer leaves hope for a better one."""
        is_slow, is_broken = answer.status == 429, answer.status in (500, 502, 503, 504)
        return not self.once_only and ((self.patient and is_slow) or (self.safe and is_broken))


def patiently(
    once: Callable[[float], Answer],
    asking: Asking,
    waiting: Waiting,
    token_pause_s: Callable[[], float | None],
    tell: Callable[[str], None],
) -> Answer:
    """The answer of ``once``, which is called with the seconds that are left until it is the last word or the time is
    over. ``token_pause_s``: what the last answer to a request for a token asked for.

    Raises what `told_of` makes of a `Lost`, and what ``once`` raises.
    """
    ends_s = time.monotonic() + waiting.whole_s
    tries = 0
    while True:
        tries += 1
        answer: Answer | None = None
        error: RpctlError | Unsettled | None = None
        try:
            answer = once(max(ends_s - time.monotonic(), LEAST_S))
            again = asking.is_worth_another(answer)
        except Lost as lost:
            error = told_of(lost, asking.told, asking.base_url, safe=asking.safe)
            again = isinstance(error, ServiceUnreachable | ServiceUnavailable)
        except (ServiceUnavailable, RateLimited) as no_token:  # the request itself never left
            if isinstance(no_token, RateLimited):
                no_token.retry_after_s = token_pause_s()
            error, again = no_token, asking.patient or isinstance(no_token, ServiceUnavailable)
        pause_s = _pause_s(tries, answer, waiting) if again else 0.0
        most = _MAX_CONNECTIONS if isinstance(error, ServiceUnreachable) else _MAX_TRIES
        if not again or tries == most or time.monotonic() + pause_s > ends_s:
            if error is not None:
                raise error
            assert answer is not None
            return answer
        tell(f"* trying again in {pause_s:.1f} s")
        waiting.sleep(pause_s)


def _pause_s(tries: int, answer: Answer | None, waiting: Waiting) -> float:
    asked_s = answer.retry_after_s if answer else None
    if asked_s is not None:
        return asked_s + waiting.jitter() * _FIRST_PAUSE_S
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (tries - 1)) * (0.5 + waiting.jitter() / 2)


def asked_pause_s(headers: Mapping[str, str]) -> float | None:
    """What Retry-After asks for, in seconds; None where it is neither seconds nor a date."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked[:6])
    return _seconds_until(asked) if asked else None


def _seconds_until(date: str) -> float | None:
    """How far off the date of a Retry-After is, by this machine's clock; None where it is no date."""
    from email.utils import parsedate_to_datetime

    try:
        return max(parsedate_to_datetime(date).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None
