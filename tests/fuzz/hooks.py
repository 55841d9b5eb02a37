"""What schemathesis does not know of Kith.

A key that was used for another command is refused before anything else is looked at, and schemathesis likes to use the
same one. So most commands get a key of their own; every tenth keeps what was made for it.
"""

import itertools
import os

import schemathesis

KEY = "Idempotency-Key"
KEPT_EVERY = 10

numbers = itertools.count(1)


@schemathesis.hook
def before_call(context, case, kwargs):
    number = next(numbers)
    if case.headers is not None and KEY in case.headers and number % KEPT_EVERY:
        case.headers[KEY] = f"{os.environ['KITH_ROLE']}-{number}"
