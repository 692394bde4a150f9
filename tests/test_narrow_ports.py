"""A step takes the ports that it uses, and `Services` only if it uses more of them or passes it on."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
STEPS = ROOT / "relay" / "steps"
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def too_wide(source: str) -> Iterator[str]:
    """Yields each function that takes `Services`, uses at most one field of it, and passes it on to nobody."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, _Function):
            for name in _services_of(function):
                fields, passed_on = _uses(function, name)
                if len(fields) <= 1 and not passed_on:
                    yield f"{function.name} uses {', '.join(fields) or 'nothing'}"


def _services_of(function: _Function) -> list[str]:
    """Returns the parameters whose annotation names `Services`, alone or in a union, a string or a module."""
    arguments = function.args
    return [
        one.arg
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        if one.annotation is not None and _names_services(one.annotation)
    ]


def _names_services(annotation: ast.expr) -> bool:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    return any(
        (isinstance(node, ast.Name) and node.id == "Services")
        or (isinstance(node, ast.Attribute) and node.attr == "Services")
        for node in ast.walk(annotation)
    )


def _uses(function: _Function, name: str) -> tuple[set[str], bool]:
    """Returns the fields that are read from the parameter, and whether it is also used as a whole."""
    inside = {id(node.value): node for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    fields, passed_on = set[str](), False
    for node in ast.walk(function):
        if not isinstance(node, ast.Name) or node.id != name:
            continue
        if field := inside.get(id(node)):
            fields.add(field.attr)
        else:
            passed_on = True
    return fields, passed_on


def test_no_step_takes_services_for_one_port() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {one}"
        for path in sorted(STEPS.rglob("*.py"))
        for one in too_wide(path.read_text("utf-8"))
    ]
    assert not found, f"let these functions take the port itself in place of Services: {'; '.join(found)}"


def test_one_port_is_found_in_any_form() -> None:
    functions = {
        "def f(services: Services): return services.clock.now()": "f uses clock",
        "async def f(x: int, *, services: Services): return await services.store.parties.get(x)": "f uses store",
        "def f(all_of_it: 'Services'): return [all_of_it.ids.new(), all_of_it.ids.new()]": "f uses ids",
        "def f(services: steps.Services | None): services.event_log.signed_in('')": "f uses event_log",
        "def f(services: Services): return services.store.parties, services.store.pairs": "f uses store",
        "def f(services: Services):\n def inner(): return services.links\n return inner": "f uses links",
        "class C:\n def f(self, services: Services, /): pass": "f uses nothing",
        "def f(services: Services): return services.store": "f uses store",
    }
    assert {source: list(too_wide(source)) for source in functions} == {k: [v] for k, v in functions.items()}


def test_more_ports_or_passing_on_may_take_services() -> None:
    for source in (
        "def f(services: Services): return services.ids.new(), services.clock.now()",
        "def f(services: Services): return g(services)",
        "def f(services: Services): return g(all=services)",
        "def f(services: Services): return Scans(services, services.ids)",
        "def f(services: OtherServices): return services.ids",
        "def f(store: Store): return store.parties",
    ):
        assert not list(too_wide(source)), source
