"""A small template language for sentences: `{slot}` is filled in, `(a|b|)` picks one alternative.

A template that needs a slot which the campaign or the row does not offer raises `Missing`,
so one list of templates serves campaigns with every set of facts.
"""

import re

TOKEN = re.compile(r"\{(\w+)\}|([(|)])")


class Missing(Exception):
    """A slot of the template has no value here."""


def parse(text):
    """Parses a template into a sequence: strings, ("slot", name) and ("pick", [sequence, ...])."""
    stack = [[[]]]
    position = 0
    for match in TOKEN.finditer(text):
        stack[-1][-1].append(text[position : match.start()])
        position = match.end()
        slot, mark = match.groups()
        if slot:
            stack[-1][-1].append(("slot", slot))
        elif mark == "(":
            stack.append([[]])
        elif mark == "|":
            stack[-1].append([])
        else:
            alternatives = stack.pop()
            stack[-1][-1].append(("pick", alternatives))
    stack[-1][-1].append(text[position:])
    if len(stack) != 1 or len(stack[0]) != 1:
        raise ValueError(f"unbalanced alternatives in template: {text}")
    return stack[0][0]


def expand(sequence, slots, rng):
    """Writes a parsed template out; `slots` maps a slot to a function of no arguments."""
    parts = []
    for part in sequence:
        if isinstance(part, str):
            parts.append(part)
        elif part[0] == "slot":
            value = slots.get(part[1])
            if value is None:
                raise Missing(part[1])
            parts.append(value())
        else:
            parts.append(expand_any(part[1], slots, rng))
    return "".join(parts)


def expand_any(alternatives, slots, rng):
    """Writes out one alternative that can be filled, tried in random order."""
    for alternative in rng.sample(alternatives, len(alternatives)):
        try:
            return expand(alternative, slots, rng)
        except Missing:
            continue
    raise Missing("every alternative")


def tidy(text, stop):
    """Puts capitals at the start of sentences and, where asked, a full stop at the end."""
    text = re.sub(r"(^|[.!?] )([a-z])", lambda match: match[1] + match[2].upper(), text.strip())
    if stop and text[-1] not in ".!?":
        text += "."
    return text
