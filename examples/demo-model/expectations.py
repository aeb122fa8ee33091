"""Writes and reads `expectations.json`: by which phrases one sees that a message follows its row and brief."""

import json
import pathlib

from lexicon import AIMS, GOALS, SCENES, TIERS, VOICES

PATH = pathlib.Path(__file__).parent / "expectations.json"
TIER_PHRASES = ["{} status", "{} member", "{} perks"]


def build(campaigns):
    """The expectations for everything that the grammar knows and everything in the held-out rows."""
    markers = {tier: [phrase.format(tier) for phrase in TIER_PHRASES] for tier in TIERS}
    every = [phrase for phrases in markers.values() for phrase in phrases]
    tiers = {tier: {"any": mine, "never": [phrase for phrase in every if phrase not in mine]} for tier, mine in markers.items()}
    tiers["none"] = {"any": [], "never": every}
    categories = list(SCENES)
    for campaign in campaigns:
        for row in campaign["rows"]:
            values = [value for key, value in row.items() if key in CATEGORY_KEYS]
            categories += [value.lower() for value in values if value.lower() not in categories]
    return {
        "categories": {category: [category] for category in categories},
        "tiers": tiers,
        "voices": {voice: [mark.lower() for mark in text["markers"]] for voice, text in VOICES.items()},
        "goals": {aim: GOALS[goal]["markers"] for goal, aims in AIMS.items() for aim in aims},
    }


CATEGORY_KEYS = {"last_category", "category", "interest", "favourite", "department", "topic", "hobby"}


def unmet(expectations, campaign, row, text):
    """What the message (all of its text) does not follow: a list of "category", "tier", "goal" and "voice"."""
    text = text.lower()

    def has(phrases):
        return any(phrase in text for phrase in phrases)

    missed = []
    for value in row.values():
        value = value.lower()
        if value in expectations["categories"] and not has(expectations["categories"][value]):
            missed.append("category")
        tier = expectations["tiers"].get(value)
        if tier and (tier["any"] and not has(tier["any"]) or has(tier["never"])):
            missed.append("tier")
    goal = expectations["goals"].get(campaign["brief"].get("goal", "").lower())
    if goal and not has(goal):
        missed.append("goal")
    named = [marks for voice, marks in expectations["voices"].items() if voice in campaign["brief"].get("voice", "").lower()]
    if named and not any(has(marks) for marks in named):
        missed.append("voice")
    return missed


def load():
    """The expectations as they are in the file."""
    return json.loads(PATH.read_text(encoding="utf-8"))


if __name__ == "__main__":
    held_out = json.loads((PATH.parent / "heldout.json").read_text(encoding="utf-8"))["campaigns"]
    PATH.write_text(json.dumps(build(held_out), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
