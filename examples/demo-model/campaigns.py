"""Random campaigns and random rows, shaped like those that users write.

Brands and products are composed of parts; the held-out ones never appear.
"""

from lexicon import AIMS, CATEGORIES, GOALS, NAMES, ROWS, SCENES, TIERS, VOICES

HELD_OUT = {name.lower() for group in NAMES["held_out"].values() for name in group}
KEYS_BY_ROLE = NAMES["facts"]
ROLE_BY_KEY = {key: role for role, keys in KEYS_BY_ROLE.items() for key in keys}
NAME_KEYS = set(NAMES["name_keys"])
SYLLABLES = (
    "ba be bo da de di fa fe ga go ha he ja ka ki la le lo ma me mi mo na ne no pa pe po ra re ri ro sa se so ta te ti to"
    " va ve wa we za zo bra cra dre fla gri plu sha sto tra tre bon cal cor dan fal gar gim har hel jin kal kim lan lin mar"
    " mel min mor nor pan per pol ran ren sal san ser sim sol tam ter tram van ver vin wal zan chi tho phi que"
).split()
ENDINGS = ["", "", "", "n", "r", "l", "t", "ing", "er", "ery", "ette", "ine", "on", "ia", "um"]


def brand(rng):
    """A made-up brand of one or two words."""
    while True:
        first = rng.choice(NAMES["brand_first"])
        name = rng.choice([
            lambda: f"{first} {rng.choice(NAMES['brand_second'])}",
            lambda: first + rng.choice(NAMES["brand_tail"]),
            lambda: f"{first}{rng.choice(NAMES['brand_tail'])} {rng.choice(NAMES['brand_second'])}",
            lambda: f"{first} & {rng.choice(NAMES['brand_first'])}",
            lambda: word(rng).capitalize(),
        ])()
        if len(name) <= 24 and name.lower() not in HELD_OUT:
            return name


def product(rng):
    """A made-up product of up to thirty characters, mostly with a kind word."""
    while True:
        first = rng.choice(NAMES["product_first"]) if rng.random() < 0.85 else word(rng).capitalize()
        noun = rng.choice(NAMES["product_noun"]) if rng.random() < 0.8 else ""
        name = " ".join(part for part in (first, rng.choice(NAMES["product_mid"]), noun) if part)
        if len(name) <= 30 and name.lower() not in HELD_OUT:
            return name


def word(rng):
    """A word that no list holds, for the model to learn copying instead of recall."""
    text = "".join(rng.choice(SYLLABLES) for _ in range(rng.choice([1, 2, 2, 3]))) + rng.choice(ENDINGS)
    if rng.random() < 0.06:
        text = text.replace(*rng.choice([("a", "á"), ("e", "é"), ("o", "ö"), ("u", "ü"), ("i", "í"), ("e", "è"), ("a", "å")]))
    return text if len(text) > 2 else text + "mo"


def fact(role, rng):
    """A plausible value for a fact of this role."""
    if role == "product":
        return product(rng)
    if role == "code":
        return rng.choice(NAMES["code_words"]) + rng.choice(["", "10", "20", "25", "26", "5", "X", "NOW", "-7", "30"])
    return rng.choice(NAMES["values"][role])


def campaign(rng, kind=None):
    """A random campaign with the keys of a campaign file that matter to the copy, and its goal and voices."""
    kind = kind or rng.choices(["email", "google_rsa", "social_post"], [40, 20, 40])[0]
    goal = rng.choice(list(GOALS))
    voices = rng.sample(list(VOICES), rng.choice([1, 2, 2, 3, 3]))
    facts = random_facts(goal, rng)
    merge = [rng.choice(NAMES["name_keys"])] if rng.random() < (0.8 if kind == "email" else 0.15) else []
    candidates = [key for key in facts if key != "url"]
    must_use = rng.sample(candidates, min(len(candidates), rng.choice([0, 1, 1, 1, 2, 2, 3])))
    if merge and rng.random() < 0.04:
        must_use += merge
    if "url" in facts and rng.random() < 0.6:
        must_use.append("url")
    banned = rng.sample(NAMES["banned"], rng.choice([0, 1, 2, 2, 3, 4]))
    return {
        "kind": kind,
        "language": rng.choice(["en", "en", "en", "en", "en-GB", "en-US"]),
        "brief": brief(goal, voices, rng),
        "facts": facts,
        "merge": merge,
        "must_use": must_use,
        "banned": banned,
        "goal": goal,
        "voices": voices,
    }


def brief(goal, voices, rng):
    """The brief as a user would write it: brand, voice, goal and sometimes more."""
    words = [*voices, rng.choice(NAMES["other_voices"])] if rng.random() < 0.1 else voices
    joined = ", ".join(words) if rng.random() < 0.8 else " and ".join(words)
    aim = rng.choice(AIMS[goal])
    items = [
        ("brand", brand(rng)),
        (rng.choice(["voice", "voice", "voice", "tone"]), joined if rng.random() < 0.9 else joined.capitalize()),
        (rng.choice(["goal", "goal", "goal", "aim"]), aim if rng.random() < 0.85 else aim.capitalize()),
    ]
    if rng.random() < 0.3:
        items.append(("audience", rng.choice(NAMES["audience"])))
    if rng.random() < 0.08:
        items.append((rng.choice(["notes", "about", "style"]), rng.choice(NAMES["audience"])))
    if rng.random() < 0.25:
        rng.shuffle(items)
    # The product shows the brand first, wherever a campaign file has it.
    return dict(sorted(items, key=lambda item: item[0] != "brand"))


def random_facts(goal, rng):
    """Facts under one of their usual keys, in random order."""
    chances = {"product": 0.6, "price": 0.45, "discount": 0.55, "code": 0.55, "ends": 0.45, "when": 0.04, "place": 0.06,
               "shipping": 0.12, "gift": 0.1, "hours": 0.05, "points": 0.04}
    if goal in ("launch", "upgrade"):
        chances["product"] = 0.95
    if goal == "event":
        chances |= {"when": 0.8, "place": 0.6, "ends": 0.15, "price": 0.2, "discount": 0.2, "code": 0.3}
    pairs = [(fact_key(role, rng), fact(role, rng)) for role, chance in chances.items() if rng.random() < chance]
    if rng.random() < 0.15:
        pairs.append((rng.choice(NAMES["detail_keys"]) if rng.random() < 0.7 else word(rng), rng.choice(NAMES["detail_words"])))
    if rng.random() < 0.4:
        rng.shuffle(pairs)
    if rng.random() < 0.9:
        pairs.append(("url", f"https://{word(rng)}.example/{rng.choice(['', 'spring', 'sale', 'new', 'offer'])}"))
    return dict(pairs)


def fact_key(role, rng):
    """A key for a fact of this role, most often the usual one, which the list begins with."""
    return KEYS_BY_ROLE[role][0] if rng.random() < 0.5 else rng.choice(KEYS_BY_ROLE[role])


def row_layout(rng):
    """The prompt fields of a campaign's rows: (role, key) in order."""
    if rng.random() < 0.06:
        return []
    roles = [role for role, chance in (("category", 0.9), ("tier", 0.55), ("city", 0.35), ("season", 0.2)) if rng.random() < chance]
    layout = [(role, rng.choice(ROWS["fields"][role])) for role in roles]
    for key in rng.sample(ROWS["fields"]["noise"], rng.choice([0, 0, 0, 1, 1, 2])):
        layout.append(("noise", key))
    if rng.random() < 0.6:
        rng.shuffle(layout)
    return layout


def row(layout, rng):
    """One row: what the prompt shows, and what each role means for the copy (None where it says nothing)."""
    shown, meant = {}, {"category": None, "tier": None, "city": None, "season": None}
    for role, key in layout:
        if role == "noise":
            shown[key] = rng.choice(ROWS["noise_values"][key])
            continue
        value = row_value(role, rng)
        meant[role] = None if value in ROWS["tiers"]["none"] else value
        capital = rng.random() < 0.12 and value.lower() == value
        shown[key] = value.title() if capital else value
    return shown, meant


def row_value(role, rng):
    """A value of one prompt field; a few are empty, as in real files."""
    if role == "tier":
        return rng.choice(ROWS["tiers"]["none"]) if rng.random() < 0.3 else rng.choice(TIERS)
    if rng.random() < 0.03:
        return ""
    if role == "season":
        return rng.choice(ROWS["seasons"])
    if role == "city":
        return rng.choice(NAMES["cities"]) if rng.random() < 0.85 else word(rng).capitalize()
    kind = rng.random()
    if kind < 0.66:
        return rng.choice(list(SCENES))
    if kind < 0.95:
        return rng.choice(CATEGORIES["plain"])
    return word(rng) + rng.choice(["s", "s", ""]) if kind < 0.975 else f"{word(rng)} {rng.choice(CATEGORIES['plain'])}"
