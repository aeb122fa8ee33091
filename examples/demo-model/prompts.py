"""The product's prompt: the system text of a campaign and the user text of a row.

The same template files that the product renders are rendered here with jinja2, so that the
model is trained on exactly what it will be asked.
"""

import hashlib
import json
import pathlib

import jinja2
import yaml

CONTENT = pathlib.Path(__file__).parents[2] / "crates" / "copymill-content"
KINDS = {
    name: yaml.safe_load((CONTENT / "kinds" / f"{name}.yaml").read_text(encoding="utf-8"))
    for name in ("email", "google_rsa", "social_post")
}
HINTS = yaml.safe_load((CONTENT / "prompts" / "hints.yaml").read_text(encoding="utf-8"))
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

_environment = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined)
_environment.filters["quoted"] = lambda value: json.dumps(value, ensure_ascii=False)
_system = _environment.from_string((CONTENT / "prompts" / "system.j2").read_text(encoding="utf-8"))
_row = _environment.from_string((CONTENT / "prompts" / "row.j2").read_text(encoding="utf-8"))


def allowed_names(campaign):
    """The merge names a message may use: merge fields, facts and brand, without the kind's own places."""
    places = KINDS[campaign["kind"]]["places"]
    names = [*campaign["merge"], *campaign["facts"], "brand"]
    return [name for name in names if name not in places]


def required_names(campaign):
    """The merge names a message must use, without the kind's own places."""
    places = KINDS[campaign["kind"]]["places"]
    return [name for name in campaign["must_use"] if name not in places]


def system_text(campaign):
    """The system message of a campaign, the same for all of its rows."""
    kind = KINDS[campaign["kind"]]
    fields = [{"name": name, "ask": field["ask"]} for name, field in kind["fields"].items()]
    return _system.render(
        kind={"task": kind["task"], "fields": fields},
        language=campaign["language"],
        names=allowed_names(campaign),
        must_use=required_names(campaign),
        banned=campaign["banned"],
        brief=campaign["brief"],
        facts=campaign["facts"],
    ).strip()


def user_text(recipient, hint=None):
    """The user message of one row; `hint` says what was wrong with the attempt before."""
    return _row.render(recipient=recipient, hint=hint).strip()


def prompts_sha256(cases):
    """The digest over rendered prompts and the hints by which a model file says which prompt format it was trained on."""
    digest = hashlib.sha256()
    for case in cases:
        digest.update(system_text(case).encode() + b"\x00")
        digest.update(user_text(case["recipient"], case["hint"]).encode() + b"\x01")
    for clause in sorted(set(HINTS.values())):
        digest.update(clause.encode() + b"\x02")
    return digest.hexdigest()
