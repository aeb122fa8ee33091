"""Training samples: a campaign's system text with several rows, their hints and answers."""

from typing import NamedTuple

from campaigns import campaign as random_campaign
from campaigns import row, row_layout
from checks import texts
from compose import write
from prompts import HINTS, KINDS, allowed_names, system_text, user_text

HINT_SHARE = 0.12


class Branch(NamedTuple):
    """One row of a pack: its prompt and answer, which lines the campaign asks for, and what the row means."""

    user: str
    answer: str
    asked: list
    meant: dict


def pack(rng, rows, kind=None):
    """One campaign: (campaign, system text, [Branch]); rows the grammar cannot serve are left out."""
    while True:
        campaign = random_campaign(rng, kind)
        layout = row_layout(rng)
        branches = []
        for _ in range(rows):
            shown, meant = row(layout, rng)
            hint, wanted = hint_for(campaign, rng) if rng.random() < HINT_SHARE else (None, None)
            written = write(campaign, meant, rng, wanted, attempts=25)
            if written:
                branches.append(Branch(user_text(shown, hint), *written, meant))
            elif not branches:
                break
        if branches:
            return campaign, system_text(campaign), branches


def hint_for(campaign, rng):
    """A hint text and the predicate on the content that obeying it means."""
    clauses, tests = [], []
    for code in rng.sample(list(HINTS), rng.choice([1, 1, 1, 2])):
        clause, test = obey(code, campaign, rng)
        if clause and clause not in clauses:
            clauses.append(clause)
            tests.append(test)
    if not clauses:
        return None, None
    return "; ".join(clauses), lambda content: all(test(content) for test in tests)


def obey(code, campaign, rng):
    """The clause for one failed check and its test; (None, None) where it cannot be said of this campaign."""
    fields = KINDS[campaign["kind"]]["fields"]
    field = rng.choice(list(fields))
    names = [name for name in allowed_names(campaign) if name in campaign["must_use"]] or [
        name for name in allowed_names(campaign) if name in campaign["facts"]]
    test = lambda content: True  # noqa: E731
    if code == "too_long":
        limit = fields[field]["max"] * 0.7
        test = lambda content: all(len(text) <= limit for name, text in texts(campaign["kind"], content) if name == field)  # noqa: E731
    if code == "banned_phrase" and not campaign["banned"] or code == "missing_fact" and not names:
        return None, None
    phrase = rng.choice(campaign["banned"] or [""])
    name = rng.choice(names or [""])
    if code == "missing_fact":
        test = lambda content: any(f"[[{name}]]" in text for _, text in texts(campaign["kind"], content))  # noqa: E731
    if code == "forbidden_character":
        test = lambda content: all("!" not in text for _, text in texts(campaign["kind"], content))  # noqa: E731
    if code == "truncated":
        test = lambda content: len(content.get("body", [])) < 3  # noqa: E731
    return HINTS[code].format(field=field, phrase=phrase, name=name), test
