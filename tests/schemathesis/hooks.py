"""What no schema can say: strings of formats of our own, and rules between fields.

Requests that should be accepted are made of these formats; those that should be refused are made of anything.
"""

import datetime

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

# A message may be scheduled up to 30 days ahead; a time that is past is now.
TIME = st.datetimes(
    min_value=datetime.datetime(1971, 1, 1),
    max_value=(NOW + datetime.timedelta(days=29)).replace(tzinfo=None),
).map(lambda time: time.isoformat() + "Z")

schemathesis.openapi.format("email", EMAIL)
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


@schemathesis.hook
def filter_body(context, body):
    messages = body.get("messages") if isinstance(body, dict) else None
    return all(is_sayable(each) for each in [body, *(messages if isinstance(messages, list) else [])])
