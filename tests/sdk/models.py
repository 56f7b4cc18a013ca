"""Holds answers to the official SDK's own models: every field known, every value of the documented type."""

import inspect
import re

SCALARS = {"str": str, "int": int, "bool": bool}

# The one struct the SDKs publish without fields: what it holds is not documented.
UNDOCUMENTED = {"ApplicationConcurrentPackage"}


def documented_types(cls):
    """The fields of a model and their types, from its docstring."""
    text = cls.__init__.__doc__ or ""
    return dict(re.findall(r":type (\w+): (.+)", text))


def problems(module, cls, value, where):
    """What is wrong with `value` as an instance of the model `cls`."""
    if cls.__name__ in UNDOCUMENTED:
        return []
    if not isinstance(value, dict):
        return [f"{where} is {value!r}, not an object"]
    types = documented_types(cls)
    assert types, f"{cls.__name__} documents no fields"
    found = [f"{where}.{name} is unknown to the SDK" for name in value if name not in types]
    found += [f"{where}.{name} is missing" for name in types if name not in value]
    for name in types.keys() & value.keys():
        found += wrong_type(module, types[name].strip(), value[name], f"{where}.{name}")
    return found


def wrong_type(module, documented, value, where):
    if value is None:
        return []
    if documented.startswith("list of "):
        if not isinstance(value, list):
            return [f"{where} is {value!r}, not a list"]
        inner = documented.removeprefix("list of ")
        return [p for at, item in enumerate(value) for p in wrong_type(module, inner, item, f"{where}[{at}]")]
    if documented == "float":
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        return [] if good else [f"{where} is {value!r}, not a number"]
    if documented in SCALARS:
        return [] if type(value) is SCALARS[documented] else [f"{where} is {value!r}, not {documented}"]
    name = re.sub(r":class:`.*\.(\w+)`", r"\1", documented)
    model = getattr(module, name)
    assert inspect.isclass(model), f"{where} has the unknown type {documented}"
    return problems(module, model, value, where)
