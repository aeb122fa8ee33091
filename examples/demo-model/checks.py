"""The product's checks on a message, as far as training and evaluation need them.

A failure is a code of `hints.yaml` with what its clause is about: (code, {"field" or "phrase" or "name": …}).
"""

import json
import re

from prompts import HINTS, KINDS, allowed_names, required_names

NAME = re.compile(r"\[\[([A-Za-z0-9_]+)\]\]")
LOCKED = [
    ("link_not_a_fact", re.compile(r"https?:|www\.|\.(com|net|org|example)\b")),
    ("percent_not_a_fact", re.compile(r"%|\bper ?cent\b")),
    ("price_not_a_fact", re.compile(r"[$€£]")),
    ("number_not_a_fact", re.compile(r"\d")),
    ("date_not_a_fact", re.compile(
        r"\b(monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|april|june|july|august"
        r"|september|october|november|december|today|tonight|tomorrow)\b", re.IGNORECASE)),
]


def texts(kind, content):
    """Every (field, text) of a message in field order."""
    for field in KINDS[kind]["fields"]:
        value = content.get(field, [])
        for text in value if isinstance(value, list) else [value]:
            yield field, text


def filled(text, values):
    """The text as the reader sees it, with merge names replaced by their values."""
    return NAME.sub(lambda match: str(values.get(match[1], match[0])), text)


def failures(campaign, answer, merge_values):
    """All failed checks of an answer, which is the raw text of the model."""
    try:
        content = json.loads(answer)
    except ValueError:
        return [("not_json", {})]
    fields = KINDS[campaign["kind"]]["fields"]
    if not isinstance(content, dict) or set(content) - set(fields):
        return [("not_json", {})]
    for name, field in fields.items():
        wanted = list if "items" in field else str
        if not isinstance(content.get(name), wanted) or not content[name]:
            return [("missing_field", {"field": name})]
    values = {**merge_values, **campaign["facts"], "brand": campaign["brief"]["brand"]}
    failed = []
    for name, field in fields.items():
        failed += [(code, {"field": name}) for code in field_failures(field, content[name], values)]
    return failed + list(message_failures(campaign, content, values))


def field_failures(field, value, values):
    """Checks on one field: limits, counts, distinctness and its own rules."""
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) and text.strip() for text in items):
        yield "missing_field"
        return
    if any(len(filled(text, values)) > field["max"] for text in items):
        yield "too_long"
    limits = field.get("items")
    if limits and len(items) < limits["min"]:
        yield "too_few"
    if limits and len(items) > limits["max"]:
        yield "too_long"
    if len({text.lower() for text in items}) < len(items):
        yield "not_distinct"
    if any(mark in text for mark in field.get("forbid", "") for text in items):
        yield "forbidden_character"
    if "pattern" in field and not all(re.fullmatch(field["pattern"], text) for text in items):
        yield "placeholder"


def message_failures(campaign, content, values):
    """Checks on the whole message: names, must-use facts, banned phrases, locked facts, repetition."""
    whole = "\n".join(text for _, text in texts(campaign["kind"], content))
    used = set(NAME.findall(whole))
    if used - set(allowed_names(campaign)):
        yield "unknown_merge_field", {}
    for name in required_names(campaign):
        if name not in used:
            yield "missing_fact", {"name": name}
    reader = filled(whole, values).lower()
    for phrase in campaign["banned"]:
        if phrase.lower() in reader:
            yield "banned_phrase", {"phrase": phrase}
    plain = NAME.sub("", whole)
    if re.search(r"[\[\]{}<>]", plain):
        yield "template_syntax", {}
    for code, pattern in LOCKED:
        if pattern.search(plain):
            yield code, {}
    sentences = [part.strip().lower() for part in re.split(r"[.!?\n]+", whole) if len(part.split()) >= 6]
    if len(set(sentences)) < len(sentences):
        yield "repetition", {}


def hint(failed):
    """The text that the next attempt is told, one clause for each kind of failure, or None."""
    clauses = dict.fromkeys(HINTS[code].format(**about) for code, about in failed)
    return "; ".join(clauses) or None
