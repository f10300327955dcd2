"""The server's log as data.  Names of events and fields are spelled here and nowhere else."""
import re

STARTED = "started"
LISTENING = "listening"
ACCEPTED = "accepted"
REFUSED = "refused"
DELIVERED = "delivered"
RELAYED = "relayed"
DEFERRED = "deferred"
BOUNCED = "bounced"
EXPIRED = "expired"
DELETED = "deleted"
ROLE_DIED = "role_died"

# One final state for each recipient.
FINAL = {DELIVERED, RELAYED, BOUNCED, EXPIRED, DELETED}

PAIR = re.compile(r'([\w.-]+)=("(?:\\.|[^"\\])*"|\S*)')


def parse(line):
    """A logfmt line as a dict; quoted values are unquoted, escapes stay as they are written."""
    fields = {}
    for key, value in PAIR.findall(line):
        fields[key] = value[1:-1] if value.startswith('"') else value
    return fields


def events(text):
    return [fields for fields in map(parse, text.splitlines()) if "event" in fields]


def select(all_events, name, **wanted):
    return [e for e in all_events if e["event"] == name
            and all(e.get(key) == value for key, value in wanted.items())]


def of_message(all_events, message_id):
    return [e for e in all_events if e.get("id") == message_id]
