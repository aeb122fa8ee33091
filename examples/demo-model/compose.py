"""Writes the message that the model should learn to answer with, for a campaign, a row and a hint.

A message is composed of sentences for what must be in it (goal, category, voice, tier, must-use
facts) and of optional ones, then checked; one that fails is written again.
"""

import json

from campaigns import NAME_KEYS, ROLE_BY_KEY
from checks import NAME, failures, texts
from lexicon import GOALS, MASS, NAMES, OFFERS, ROWS, SCENES, VOICES
from prompts import allowed_names
from template import Missing, expand, tidy

# Room that a rendered name is given, in characters, where the campaign's own value is shorter.
ROOM = {"brand": 18, "product": 26, "name": 12}
SHORT_POOLS = ("offer", "price", "when", "place", "shipping", "gift", "points", "hours", "detail", "product")


class Writer:
    """Writes one message; holds the slots that the campaign and the row fill."""

    def __init__(self, campaign, meant, rng):
        self.campaign, self.meant, self.rng = campaign, meant, rng
        self.goal = GOALS[campaign["goal"]]
        self.voices = [VOICES[voice] for voice in campaign["voices"]]
        self.required = [name for name in campaign["must_use"] if name in allowed_names(campaign)]
        self.values = {"brand": campaign["brief"]["brand"], **campaign["facts"]}
        self.asked = []
        self.slots = {"brand": lambda: "[[brand]]"}
        self._fact_slots()
        self._row_slots()

    def _fact_slots(self):
        for key in allowed_names(self.campaign):
            if key in NAME_KEYS and key in self.campaign["merge"]:
                self.slots["name"] = lambda key=key: f"[[{key}]]"
            elif key in ROLE_BY_KEY:
                role = ROLE_BY_KEY[key]
                text = f"[[{key}]]"
                if role == "discount":
                    whole = key in ("offer", "deal") or self.values[key].endswith("off")
                    role, text = "off", text if whole else text + " off"
                self.slots[role] = lambda text=text: text
            elif key != "brand":
                self.slots["detail"] = lambda key=key: f"[[{key}]]"

    def _row_slots(self):
        category = (self.meant["category"] or "").lower() or None
        generic = NAMES["generic"]
        thing = category or self.rng.choice(generic["things"])
        mass = category and (category in MASS or not category.endswith("s"))
        self.slots["cat"] = lambda: thing
        self.slots["are"] = lambda: "is" if mass else "are"
        if not mass:
            self.slots["cats"] = lambda: thing
        scenes = SCENES.get(category, generic["scenes"])
        self.slots["scene"] = lambda: self.rng.choice(scenes)
        for role in ("tier", "city", "season"):
            value = self.meant[role]
            if value:
                self.slots[role] = lambda value=value, role=role: value if role == "city" else value.lower()

    def line(self, pool, limit, need=None, stop=False, avoid=()):
        """One template of the pool written out within `limit` rendered characters, or None.

        `need` is a text that must be in it; `avoid` are lines that were used already.
        """
        for _ in range(30 if need else 12):
            try:
                text = tidy(expand(self.rng.choice(pool), self.slots, self.rng), stop)
            except Missing:
                continue
            if self.width(text) <= limit and text not in avoid and (not need or need in text):
                if any(pool is own for voice in self.voices for own in voice.values()):
                    self.asked.append(text)
                elif any(f"[[{key}]]" in text for key in self.required):
                    self.asked.append(text)
                return text
        return None

    def width(self, text):
        """Rendered characters, with room for values that are longer than this campaign's."""
        def fill(match):
            key = match[1]
            role = ROLE_BY_KEY.get(key, "name" if key in NAME_KEYS else key)
            return "x" * max(len(self.values.get(key, "")), ROOM.get(role, 0))
        return len(NAME.sub(fill, text))

    def voice(self):
        """One of the brief's voices."""
        return self.rng.choice(self.voices)

    def pool_for(self, key, short):
        """The pool whose sentences carry the fact or merge field with this key."""
        role = ROLE_BY_KEY.get(key, "detail")
        role = "offer" if role in ("discount", "code", "ends") else role
        return OFFERS[f"{role}_short" if short else role]

    def offered(self):
        """The pools of facts that this campaign has something to say in."""
        roles = {ROLE_BY_KEY.get(key, "detail") for key in self.campaign["facts"] if key != "url"}
        roles = {"offer" if role in ("discount", "code", "ends") else role for role in roles}
        return [role for role in SHORT_POOLS if role in roles]

    def missing(self, lines):
        """Must-use names that the lines do not carry yet."""
        whole = " ".join(lines)
        return [key for key in self.required if f"[[{key}]]" not in whole]


def chance(rng, share):
    return rng.random() < share


def email(writer):
    """The slots of a marketing e-mail."""
    rng = writer.rng
    subject = writer.line(subject_pool(writer), 54)
    headline = writer.line(headline_pool(writer), 54, avoid=[subject])
    preheader = writer.line(preheader_pool(writer), 90, stop=chance(rng, 0.5), avoid=[subject, headline])
    cta = writer.line(rng.choices([writer.goal["cta"], writer.voice()["cta"], OFFERS["cta"]], [35, 40, 25])[0], 27)
    body = email_body(writer, [subject or "", headline or "", preheader or ""])
    return {"subject": subject, "preheader": preheader, "headline": headline, "body": body, "cta": cta}


def subject_pool(writer):
    short = [OFFERS[f"{role}_short"] for role in writer.offered()]
    pools = [writer.goal["subject"], writer.voice()["short"], OFFERS["category_short"], *short]
    return writer.rng.choices(pools, [66, 12, 8] + [16 / len(short)] * len(short) if short else [72, 16, 12])[0]


def headline_pool(writer):
    return writer.rng.choices([writer.goal["headline"], writer.voice()["short"], OFFERS["category_short"]], [58, 28, 14])[0]


def preheader_pool(writer):
    row_pools = [ROWS[f"{role}_short"] for role in ("tier", "city", "season") if writer.meant[role]]
    pools = [OFFERS["preheader"], writer.voice()["short"], OFFERS["category_short"], *row_pools]
    return writer.rng.choices(pools, [58, 24, 8] + [6] * len(row_pools))[0]


def email_body(writer, above):
    """Two or three paragraphs: the opening, what the brief and the row ask for, what is required, and then the rest.

    The order is always the same: so small a model would lose count of what is still missing.
    """
    rng = writer.rng
    opening = writer.line(writer.goal["open"], 250, stop=True)
    rest = [writer.line(writer.voice()["say"], 200, stop=True)]
    if writer.meant["tier"]:
        rest.append(writer.line(ROWS["tier"], 200, stop=True))
    for key in writer.missing([*above, opening or ""]):
        if f"[[{key}]]" not in " ".join(filter(None, rest)):
            rest.append(required_line(writer, key, short=False, limit=200))
    optional = [(ROWS[role], share) for role, share in (("city", 0.4), ("season", 0.8)) if writer.meant[role]]
    optional += [(OFFERS[role], 0.5) for role in writer.offered()]
    optional += [(OFFERS["category"], 0.55), (writer.voice()["say"], 0.25)]
    for pool, share in optional:
        if chance(rng, share) and len(rest) < 5:
            rest.append(writer.line(pool, 200, stop=True, avoid=rest))
    if chance(rng, 0.3):
        rest.append(writer.line(OFFERS["close"], 200, stop=True))
    return paragraphs(writer, [opening, *rest])


def required_line(writer, key, short, limit):
    """A sentence that carries a must-use name; a merge field is used as an address."""
    if key in NAME_KEYS:
        return f"This is for you, [[{key}]]."
    return writer.line(writer.pool_for(key, short), limit, need=f"[[{key}]]", stop=True)


def paragraphs(writer, sentences):
    """Spreads sentences over two or three paragraphs of at most 250 characters, or returns None."""
    if None in sentences or len(sentences) < 2:
        return None
    count = 3 if len(sentences) >= 4 and chance(writer.rng, 0.6) else 2
    cuts = sorted(writer.rng.sample(range(1, len(sentences)), count - 1))
    if len(sentences) >= 5 and count == 3:
        cuts = [writer.rng.choice([1, 2]), writer.rng.choice([3, len(sentences) - 1])]
    bounds = [0, *cuts, len(sentences)]
    parts = [" ".join(sentences[start:end]) for start, end in zip(bounds, bounds[1:], strict=False)]
    return parts if all(part and writer.width(part) <= 255 for part in parts) else None


def google_rsa(writer):
    """Five headlines, in the order category, goal, tier, voice, required, other; and two descriptions."""
    rng = writer.rng
    pools = [OFFERS["category_short"], writer.goal["short"]]
    pools += [ROWS["tier_short"]] if writer.meant["tier"] else []
    pools += [writer.voice()["short"]]
    headlines = []
    for pool in pools:
        line = writer.line(pool, 30, avoid=headlines)
        headlines += [line] if line else []
    for key in writer.required:
        if key not in NAME_KEYS and f"[[{key}]]" not in " ".join(headlines) and len(headlines) < 5:
            line = writer.line(writer.pool_for(key, True), 30, need=f"[[{key}]]")
            headlines += [line] if line else []
    extra = [ROWS[f"{role}_short"] for role in ("city", "season") if writer.meant[role] and chance(rng, 0.6)]
    more = [OFFERS[f"{role}_short"] for role in writer.offered()] + [OFFERS["category_short"], writer.voice()["short"]]
    for _ in range(20):
        line = writer.line(extra.pop(0) if extra else rng.choice(more), 30, avoid=headlines)
        headlines += [line] if line and len(headlines) < 5 else []
    return {"headlines": headlines, "descriptions": descriptions(writer, headlines)}


def descriptions(writer, headlines):
    """Two descriptions; what is required and not in the headlines goes here."""
    lines = [writer.line(writer.goal["desc"], 84, stop=True)]
    for key in writer.missing(headlines):
        if f"[[{key}]]" not in " ".join(line or "" for line in lines):
            lines.append(required_line(writer, key, short=True, limit=60))
    while len(lines) < writer.rng.choice([2, 3, 3]):
        pool = writer.rng.choice([OFFERS["rsa_desc"], OFFERS["rsa_desc"], writer.voice()["short"], OFFERS["category_short"]])
        lines.append(writer.line(pool, 70, stop=True, avoid=lines))
    if None in lines:
        return None
    parts = [lines[0], " ".join(lines[1:])]
    return parts if all(writer.width(part) <= 86 for part in parts) else None


def social_post(writer):
    """One post, in the order goal, voice, tier, required, other; and two or three hashtags."""
    rng = writer.rng
    lines = [writer.line(writer.goal["social"], 150, stop=True)]
    voice = writer.voice()
    lines.append(writer.line(voice["say" if chance(rng, 0.55) else "short"], 110, stop=True))
    if writer.meant["tier"]:
        lines.append(writer.line(ROWS["tier_short"], 60, stop=True))
    for key in writer.missing([line or "" for line in lines]):
        if f"[[{key}]]" not in " ".join(line or "" for line in lines):
            lines.append(required_line(writer, key, short=True, limit=80))
    optional = [(ROWS[f"{role}_short"], 0.5) for role in ("city", "season") if writer.meant[role]]
    optional += [(OFFERS[f"{role}_short"], 0.35) for role in writer.offered()] + [(OFFERS["category_short"], 0.25)]
    for pool, share in optional:
        if chance(rng, share) and len(lines) < 4:
            lines.append(writer.line(pool, 80, stop=True, avoid=lines))
    if None in lines:
        return None
    post = " ".join(lines)
    return {"post": post if writer.width(post) <= 200 else None, "hashtags": hashtags(writer)}


def hashtags(writer):
    """Two or three hashtags: of the goal, of a known category and general ones."""
    rng = writer.rng
    tags = [rng.choice(NAMES["hashtags"][writer.campaign["goal"]])]
    category = (writer.meant["category"] or "").lower()
    if category in SCENES:
        tags.append("#" + "".join(part.capitalize() for part in category.split()))
    general = [tag for tag in NAMES["hashtags"]["any"] if tag not in tags]
    while len(tags) < 2 or (len(tags) < 3 and chance(rng, 0.4)):
        tags.append(general.pop(rng.randrange(len(general))))
    return tags


KIND_WRITERS = {"email": email, "google_rsa": google_rsa, "social_post": social_post}


def complete(content):
    """Whether every slot and every item was written."""
    return bool(content) and all(value and (isinstance(value, str) or None not in value) for value in content.values())


def follows(writer, content):
    """Whether the message says what its row and brief ask for."""
    whole = " ".join(text for _, text in texts(writer.campaign["kind"], content)).lower()
    asked = [[writer.meant[role]] for role in ("category", "tier") if writer.meant[role]]
    asked += [writer.goal["markers"], [mark for voice in writer.voices for mark in voice["markers"]]]
    return all(any(mark.lower() in whole for mark in marks) for marks in asked)


def write(campaign, meant, rng, wanted=None, attempts=60):
    """A message that passes every check, as (answer text, lines that the campaign asks for), or None where the grammar finds none.

    `wanted` is a predicate on the content, for a hint that has to be obeyed.
    """
    for _ in range(attempts):
        writer = Writer(campaign, meant, rng)
        content = KIND_WRITERS[campaign["kind"]](writer)
        if not complete(content) or not follows(writer, content) or (wanted and not wanted(content)):
            continue
        answer = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        if not failures(campaign, answer, {key: "Konstantina" for key in campaign["merge"]}):
            return answer, writer.asked
    return None
