"""Panels and dashboards in Grafana's JSON model (schema version 39; checked against the types of Grafana 12)."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24


def steps(base, *limits):
    """Returns thresholds: a colour, then pairs of a limit and the colour from it on."""
    return [{"color": base, "value": None}] + [{"color": colour, "value": limit} for limit, colour in limits]


NEUTRAL = steps("blue")


def stat(title, good, unit, expression, thresholds=NEUTRAL, width=3, decimals=None):
    """One number, coloured by its thresholds; `good` says what it should be."""
    panel = _panel("stat", title, good, width, 4, [(expression, "")], unit)
    panel["targets"][0]["instant"] = True
    panel["targets"][0]["range"] = False
    defaults = panel["fieldConfig"]["defaults"]
    defaults["color"] = {"mode": "thresholds"}
    defaults["thresholds"] = {"mode": "absolute", "steps": thresholds}
    if decimals is not None:
        defaults["decimals"] = decimals
    panel["options"] = {
        "colorMode": "background",
        "graphMode": "none",
        "justifyMode": "center",
        "textMode": "value",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return panel


def series(title, good, unit, *targets, stack=False, width=8, limits=None, maximum=None, minimum=0):
    """Lines over time; each target is an expression and its legend. `limits` are thresholds that are drawn as lines."""
    panel = _panel("timeseries", title, good, width, 8, targets, unit)
    defaults = panel["fieldConfig"]["defaults"]
    defaults["color"] = {"mode": "palette-classic"}
    defaults["custom"] = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 40 if stack else 10,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stack else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if limits else "off"},
    }
    defaults["thresholds"] = {"mode": "absolute", "steps": limits or steps("green")}
    if minimum is not None:
        defaults["min"] = minimum
    if maximum is not None:
        defaults["max"] = maximum
    panel["options"] = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel


def states(title, good, names, *targets, width=8):
    """A band over time for each series; `names` are the text and the colour of the values 0, 1 …"""
    panel = _panel("state-timeline", title, good, width, 8, targets, "short")
    mapped = {str(value): {"text": text, "color": colour, "index": value} for value, (text, colour) in enumerate(names)}
    panel["fieldConfig"]["defaults"]["mappings"] = [{"type": "value", "options": mapped}]
    panel["fieldConfig"]["defaults"]["custom"] = {"fillOpacity": 70, "lineWidth": 0}
    panel["options"] = {
        "mergeValues": True,
        "showValue": "auto",
        "rowHeight": 0.8,
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return panel


def table(title, good, expression, value, width=8):
    """The labels of each series and its value, named `value`."""
    panel = _panel("table", title, good, width, 8, [(expression, "")], "short")
    panel["targets"][0] |= {"instant": True, "range": False, "format": "table"}
    panel["options"] = {"showHeader": True, "cellHeight": "sm"}
    organized = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {"Value": value}}
    panel["transformations"] = [{"id": "organize", "options": organized}]
    return panel


def dashboard(name, title, description, *rows, since="now-6h", extra_variables=()):
    """Lays panels out from left to right; a row is its title and its panels, the first one's title is empty."""
    panels, y = [], 0
    for heading, members in rows:
        if heading:
            place = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
            panels.append({"type": "row", "title": heading, "collapsed": False, "gridPos": place, "panels": []})
            y += 1
        y = _place(members, y)
        panels += members
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    return {
        "uid": f"copymill-{name}",
        "title": f"Copymill / {title}",
        "description": description,
        "tags": ["copymill"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "annotations": {"list": []},
        "links": [_links()],
        "templating": {"list": _variables() + list(extra_variables)},
        "panels": panels,
    }


def text_variable(name, label, value):
    """A value that the reader types in."""
    chosen = {"text": value, "value": value, "selected": True}
    return {"type": "textbox", "name": name, "label": label, "query": value, "current": chosen, "hide": 0}


def _panel(kind, title, good, width, height, targets, unit):
    return {
        "type": kind,
        "title": title,
        "description": good,
        "datasource": DATASOURCE,
        "gridPos": {"h": height, "w": width, "x": 0, "y": 0},
        "fieldConfig": {"defaults": {"unit": unit, "noValue": "–"}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": DATASOURCE, "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(targets)
        ],
    }


def _place(members, y):
    x = height = 0
    for panel in members:
        place = panel["gridPos"]
        if x + place["w"] > COLUMNS:
            x, y, height = 0, y + height, 0
        place["x"], place["y"] = x, y
        x += place["w"]
        height = max(height, place["h"])
    return y + height


def _variables():
    return [
        {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "hide": 0},
        _labels("namespace", "Namespace", "label_values(copymill_scheduler_leader, namespace)"),
        _labels("model", "Model", 'label_values(copymill_worker_model_info{namespace=~"$namespace"}, model)'),
    ]


def _labels(name, label, query):
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"], "selected": True},
        "hide": 0,
    }


def _links():
    return {
        "type": "dashboards",
        "title": "Copymill",
        "tags": ["copymill"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }
