"""What no schema can say: strings of formats of our own, and rules between fields.

Requests that should be accepted are made of these formats; those that should be refused are made of anything.
"""

import datetime
import re

import schemathesis
from hypothesis import strategies as st

NOW = datetime.datetime.now(datetime.timezone.utc)

# Addresses that anybody would take. The API takes more than these: quoted local parts, international domains.
LABEL = st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True)
EMAIL = st.builds(
    "{}@{}.{}".format,
    st.from_regex(r"[a-z0-9]([a-z0-9.+_-]?[a-z0-9]){0,10}", fullmatch=True),
    LABEL,
    st.sampled_from(["com", "org", "example", "co.uk"]),
)
NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9 .'-]{0,20}", fullmatch=True)
MAILBOX = EMAIL | st.builds("{} <{}>".format, NAME, EMAIL)

# Any time of four digits that RFC 3339 can write, often one of these years.
OFFSET = st.sampled_from(["Z", "z", "+00:00", "-00:00"]) | st.from_regex(
    r"[+-](0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]", fullmatch=True
)
TIME = st.builds(
    "{}{}{}".format,
    st.one_of(
        st.datetimes(datetime.datetime(2020, 1, 1), datetime.datetime(2040, 1, 1)),
        st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9998, 12, 31)),
    ).map(lambda time: time.isoformat(timespec="seconds")),
    st.just("") | st.from_regex(r"\.[0-9]{1,9}", fullmatch=True),
    OFFSET,
)
# A message may be scheduled up to 30 days ahead; a time that is past is now.
LATEST = NOW + datetime.timedelta(days=29)

# A file of suppressions: a column of addresses, whatever stands in them, between columns that mean nothing.
CELL = st.from_regex(r"[A-Za-z0-9 _.@-]{0,20}", fullmatch=True)
FILE = st.builds(
    lambda header, rows: "\n".join([header, *map(",".join, rows)]),
    st.sampled_from(["email,note", "Email,reason", '\ufeff"EMAIL",note', "email"]),
    st.lists(st.tuples(EMAIL | CELL, CELL), max_size=5),
)

# Names of two labels or more, none of them numbers alone.
HOSTNAME = st.builds("{}.{}".format, st.from_regex(r"[a-z]([a-z0-9]{0,60}[a-z])?", fullmatch=True), EMAIL.map(lambda email: email.rsplit("@", 1)[1]))

schemathesis.openapi.format("hostname", HOSTNAME)
schemathesis.openapi.format("email", EMAIL)
schemathesis.openapi.format("suppressions-csv", FILE)
schemathesis.openapi.format("mailbox", MAILBOX)
schemathesis.openapi.format("date-time", TIME)
# A cursor is what a page before gave; the empty one is the beginning of every list.
schemathesis.openapi.format("cursor", st.just(""))


def is_sayable(message):
    """Whether the schema says all there is to say of a message: no rule between its fields is broken."""
    if not isinstance(message, dict):
        return True
    headers = message.get("headers")
    if isinstance(headers, dict) and len({str(name).lower() for name in headers}) < len(headers):
        # A header stands once, whatever its case.
        return False
    lists = [message.get(name) for name in ("to", "cc", "bcc")]
    # At most 50 recipients over all three.
    return sum(len(each) if isinstance(each, list) else 1 for each in lists if each is not None) <= 50


def is_too_late(text):
    """Whether this is a time, and one for which nothing can be scheduled."""
    if not isinstance(text, str):
        return False
    try:
        # Of a fraction Python reads six digits.
        time = datetime.datetime.fromisoformat(re.sub(r"\.[0-9]+", "", text.upper()))
        return time > LATEST
    except (ValueError, TypeError, OverflowError):
        return False


@schemathesis.hook
def map_body(context, body):
    messages = body.get("messages") if isinstance(body, dict) else None
    for each in [body, *(messages if isinstance(messages, list) else [])]:
        if isinstance(each, dict) and is_too_late(each.get("scheduledAt")):
            each["scheduledAt"] = LATEST.isoformat()
    return body


@schemathesis.hook
def filter_body(context, body):
    messages = body.get("messages") if isinstance(body, dict) else None
    return all(is_sayable(each) for each in [body, *(messages if isinstance(messages, list) else [])])
