"""GET /metrics: a page of the Prometheus text format, version 0.0.4, read as strictly as it is
written; what it should look like is in the format's own document."""
import math
import re

import requests

from . import contract
from .secrets import HASH
from .server import PATIENCE

TYPE = "text/plain; version=0.0.4; charset=utf-8"
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?")
KINDS = ("counter", "gauge", "histogram")
UNITS = ("seconds", "bytes")


class Broken(AssertionError):
    """The page is not as the format wants it."""


def must(truth, line):
    if not truth:
        raise Broken(line)


def read_labels(text, line):
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        must(found and found.group(1) not in labels, line)
        labels[found.group(1)] = found.group(2)
        at = found.end()
        must(at == len(text) or text[at] == ",", line)
        at += at < len(text)
        must(at < len(text) or text[-1] != ",", line)
    return labels


class Page:
    """kinds: the type of each metric; values: {(name of a sample, labels as a frozenset): number}."""

    def __init__(self, text):
        self.kinds, self.values, self.text = {}, {}, text
        must(text.endswith("\n"), "the end")
        lines = text[:-1].split("\n")
        helped, current = None, None
        for line in lines:
            if line.startswith("# HELP "):
                name, _, words = line[7:].partition(" ")
                must(NAME.fullmatch(name) and words and name not in self.kinds, line)
                must(not re.search(r"\\(?![\\n])", words), line)
                helped = name
            elif line.startswith("# TYPE "):
                name, _, kind = line[7:].partition(" ")
                must(name == helped and kind in KINDS, line)
                helped, current = None, name
                self.kinds[name] = kind
                self.check_name(name, kind, line)
            else:
                must(helped is None and current, line)
                self.read_sample(line, current)
        must(helped is None, "the end")
        for name, kind in self.kinds.items():
            if kind == "histogram":
                self.check_histogram(name)

    @staticmethod
    def check_name(name, kind, line):
        """Prometheus' conventions: a prefix, base units, and _total behind what only grows."""
        must(name.startswith(("groups_chat_", "process_")), line)
        must((kind == "counter") == name.endswith("_total"), line)
        must(not re.search(r"_(ms|us|ns|milliseconds|kilobytes|mb|minutes|count|sum|bucket)$", name),
             line)
        for unit in UNITS:
            must(f"_{unit}" not in name or re.search(f"_{unit}(_total)?$", name), line)

    def read_sample(self, line, current):
        found = re.fullmatch(r"([^{ ]+)(?:\{(.*)\})? ([^ ]+)", line)
        must(found and NAME.fullmatch(found.group(1)) and NUMBER.fullmatch(found.group(3)), line)
        name, labels, number = found.groups()
        histogram = self.kinds[current] == "histogram"
        endings = ("_bucket", "_sum", "_count") if histogram else ("",)
        must(name in [current + ending for ending in endings], line)
        labels = read_labels(labels, line) if labels is not None else {}
        must(("le" in labels) == name.endswith("_bucket"), line)
        key = name, frozenset(labels.items())
        must(key not in self.values, line)
        self.values[key] = float(number)

    def check_histogram(self, name):
        """Without labels of its own, as all of ours are."""
        buckets = [(math.inf if dict(labels)["le"] == "+Inf" else float(dict(labels)["le"]), value)
                   for (sample, labels), value in self.values.items() if sample == name + "_bucket"]
        bounds, counts = [b for b, _ in buckets], [c for _, c in buckets]
        must(bounds == sorted(set(bounds)) and bounds[-1] == math.inf, name)
        must(counts == sorted(counts), name)
        must(self.get(name + "_count") == counts[-1], name)
        must((self.get(name + "_sum") > 0) <= (counts[-1] > 0), name)

    def get(self, name, **labels):
        """What a sample says; 0 where it is not there."""
        return self.values.get((name, frozenset(labels.items())), 0)

    def labels(self, name):
        """The values of all labels of a metric."""
        return {value for (sample, labels), _ in self.values.items() if sample == name
                for _, value in labels}


class Metrics:
    """Scrapes a server that has --admin-listen; nothing on the page is anybody's secret."""

    def __init__(self, server):
        self.server = server
        self.http = requests.Session()
        self.http.trust_env = False

    def close(self):
        self.http.close()

    def call(self, method="GET", path="/metrics", headers=None):
        answer = self.http.request(method, f"http://{self.server.app_address}{path}",
                                   headers=headers, timeout=PATIENCE)
        contract.check_answer(method, path, answer.status_code, answer.headers, answer.text,
                              answer.json)
        self.server.secrets.check("an answer", f"{answer.headers}\n{answer.text}", [HASH])
        return answer

    def page(self):
        answer = self.call()
        assert answer.status_code == 200 and answer.headers["content-type"] == TYPE
        return Page(answer.text)
