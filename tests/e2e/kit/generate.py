"""What a contract allows, and what it forbids: hypothesis strategies of values, made from a schema
of openapi.yaml or asyncapi.yaml. Only the keywords that stand there are known."""
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from . import contract

KNOWN = {"type", "description", "format", "pattern", "minLength", "maxLength", "minimum", "maximum",
         "default", "enum", "const", "properties", "required", "items", "minItems",
         "maxItems", "oneOf", "anyOf"}

# Longer texts are not sent here: they are as long as the frame or body that they would stand in.
LONGEST = 10_000

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(0.25, 0.75),
                    st.text(max_size=3))
ANYTHING = st.one_of(SCALARS, st.lists(SCALARS, max_size=2),
                     st.dictionaries(st.text(max_size=3), SCALARS, max_size=2))

UUIDS = st.uuids().map(str)
NO_UUIDS = st.one_of(st.sampled_from(["x", "0" * 32, "0" * 36, "-" * 36]),
                     UUIDS.map(lambda text: text[:-1]), UUIDS.map(lambda text: text + "0"),
                     UUIDS.map(lambda text: "g" + text[1:]))


def types(schema):
    """The schema's types; what has none may be anything."""
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def parts(schema):
    """The schema, or each of the alternatives that it is made of."""
    for key in "anyOf", "oneOf":
        if key in schema:
            base = {name: value for name, value in schema.items() if name != key}
            return [contract.merged({"allOf": [base, part]}) if "properties" in base else
                    {**base, **part} for part in schema[key]]
    return [schema]


def is_id(schema):
    return schema.get("format") == "uuid"


class Values:
    """`hints` are strategies by the name of a property: what is there, so that something is done."""

    def __init__(self, hints=None):
        self.hints = hints or {}

    # ---- allowed --------------------------------------------------------------------------------

    def allowed(self, schema, name=None):
        unknown = set(schema) - KNOWN
        assert not unknown, f"a keyword that is not known here: {unknown}"
        fits = Draft202012Validator(schema).is_valid
        found = [self.of_part(part) for part in parts(schema)]
        if name in self.hints:
            found = [*[self.hints[name]] * 3, *found]
        return st.one_of(found).filter(fits)

    def of_part(self, schema):
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        kinds = types(schema)
        if not kinds:
            return ANYTHING
        return st.one_of([self.of_type(kind, schema) for kind in kinds])

    def of_type(self, kind, schema):
        if kind == "null":
            return st.none()
        if kind == "boolean":
            return st.booleans()
        if kind == "integer":
            low, high = schema.get("minimum", -2 ** 63), schema.get("maximum", 2 ** 63 - 1)
            return st.one_of(st.integers(low, high), st.integers(low, min(high, max(low, 0) + 9)))
        if kind == "string":
            if is_id(schema):
                return st.one_of(UUIDS, UUIDS.map(str.upper))
            low, high = schema.get("minLength", 0), min(schema.get("maxLength", LONGEST), LONGEST)
            return st.one_of(st.text(min_size=low, max_size=min(high, low + 20)),
                             st.text(min_size=high, max_size=high, alphabet="xé") if high < 200
                             else st.just("x" * high))
        if kind == "array":
            low = schema.get("minItems", 0)
            return st.lists(self.allowed(schema["items"], "items"), min_size=low, max_size=low + 2)
        assert kind == "object", kind
        return self.of_object(schema)

    def of_object(self, schema):
        inner = {name: self.allowed(part, name)
                 for name, part in schema.get("properties", {}).items()}
        needed = set(schema.get("required", []))
        return st.fixed_dictionaries(
            {name: one for name, one in inner.items() if name in needed},
            optional={**{name: one for name, one in inner.items() if name not in needed},
                      "x-unknown": ANYTHING})

    # ---- forbidden ------------------------------------------------------------------------------

    def forbidden(self, schema, name=None):
        """None where the schema forbids nothing that is sent here."""
        wrong = [one for part in parts(schema) for one in self.wrong(part)]
        if not wrong:
            return None
        fits = Draft202012Validator(schema).is_valid
        return st.one_of(wrong).filter(lambda value: not fits(value))

    def wrong(self, schema):
        """Strategies of which most values are not what the part says."""
        if "const" in schema or "enum" in schema:
            return [ANYTHING]
        kinds = types(schema)
        if not kinds:
            return []
        found = [ANYTHING]
        if "integer" in kinds:
            if "minimum" in schema:
                found.append(st.integers(-2 ** 63, schema["minimum"] - 1))
            if "maximum" in schema:
                found.append(st.integers(schema["maximum"] + 1, 2 ** 66))
            found.append(st.integers(2 ** 63, 2 ** 70).map(lambda n: n + 0.5))
        if "string" in kinds:
            if is_id(schema):
                found.append(NO_UUIDS)
            elif "pattern" in schema:
                found.append(st.text(" \t\0\x7fx", min_size=1, max_size=4))
            if schema.get("minLength", 0) > 0:
                found.append(st.text(max_size=schema["minLength"] - 1))
            if schema.get("maxLength", LONGEST) < LONGEST:
                long = schema["maxLength"] + 1
                found.append(st.integers(long, 2 * long).map(lambda size: "x" * size))
        if "array" in kinds:
            found += self.wrong_arrays(schema)
        if "object" in kinds:
            found += self.wrong_objects(schema)
        return found

    def wrong_arrays(self, schema):
        bad = self.forbidden(schema["items"])
        found = [st.lists(bad, min_size=1, max_size=2)] if bad is not None else []
        if schema.get("minItems", 0) > 0:
            found.append(st.just([]))
        if "maxItems" in schema:
            found.append(self.allowed(schema["items"], "items").map(
                lambda item: [item] * (schema["maxItems"] + 1)))
        return found

    def wrong_objects(self, schema):
        """One that is right but for one property, which is missing or wrong."""
        right = self.of_object(schema)
        found = [right.map(lambda body, name=name: {k: v for k, v in body.items() if k != name})
                 for name in schema.get("required", [])]
        for name, part in schema.get("properties", {}).items():
            bad = self.forbidden(part, name)
            if bad is not None:
                found.append(st.builds(lambda body, value, name=name: {**body, name: value},
                                       right, bad))
        return found
