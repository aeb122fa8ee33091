"""The word lists and sentence templates of the grammar, read from `lexicon/*.yaml`.

A pool is a block of text with one template a line; it becomes a list of parsed templates.
"""

import pathlib

import yaml

from template import parse

FOLDER = pathlib.Path(__file__).parent / "lexicon"


def load(name):
    """Reads one lexicon file as plain data."""
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def pools(value):
    """Turns every block of template lines in a tree of dictionaries into a list of parsed templates."""
    if isinstance(value, dict):
        return {key: pools(inner) for key, inner in value.items()}
    if isinstance(value, str) and "\n" in value:
        return [parse(line) for line in value.strip().split("\n")]
    return value


NAMES = load("names")
CATEGORIES = load("categories")
ROWS = pools(load("rows"))
GOALS = pools(load("goals"))
VOICES = pools(load("voices"))
OFFERS = pools(load("offers"))
AIMS = {goal: text["aims"].strip().split("\n") for goal, text in load("goals").items()}

MASS = set(CATEGORIES["mass"])
SCENES = CATEGORIES["categories"]
TIERS = ROWS["tiers"]["named"]
