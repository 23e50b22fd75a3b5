"""Random programs: what is in them, that the text is what is run, and how small the counterexamples become."""

import ast
import linecache
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from strategies import examples
from tinygrad_seq import Op, Tensor, sweep
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError
from tinygrad_seq.graph import Graph
from tinygrad_seq.ops import table
from tinygrad_seq.testing import Program, gradcheck, programs
from tinygrad_seq.testing.program.instructions import templates
from tinygrad_seq.testing.samples import OPS

# Ops that are no mathematics, or whose gradient is not the derivative on purpose, and so are no part of a program.
LEFT_OUT = {"cast", "clip_gradient", "dropout"}
FLAT = {"sign"}  # no gradient goes through
QUIET = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


def softsign_vjp(g, out, x):
    return (g / (1 + abs(x)) ** 2,)


softsign = Op(lambda x: x / (1 + np.abs(x)), softsign_vjp, name="softsign")


def scaled(x, y, *, factor, shift=0.0):
    return F.tanh(x * factor) + y + shift


def sample(n, **options):
    """The same n programs in every run."""
    found = []

    @settings(max_examples=n, derandomize=True, **QUIET)
    @given(programs(**options))
    def collect(program):
        found.append(program)

    collect()
    return found


@pytest.fixture(scope="module")
def many():
    """Many programs, and their results."""
    return [(program, program(*program.leaves)) for program in sample(1000)]


def keys_of(result):
    """The ops in a record, by their key in the table."""
    names = {id(op): name for name, op in vars(table).items()}
    return {names.get(id(node.op), node.op.name) for node in Graph(result) if node.op}


def function_of(program):
    """The text of the function alone."""
    return program.source[program.source.index("def program(") : program.source.rindex("gradcheck(")].rstrip()


# ---- what is in them -----------------------------------------------------------------


def test_every_op_occurs(many):
    """All of the table, but for those left out by name."""
    found = set().union(*[keys_of(result) for _, result in many])

    assert found == set(vars(table)) - LEFT_OUT
    assert set(OPS) - LEFT_OUT <= found


def test_every_template_occurs(many):
    """Each line of the table of instructions is taken by some program."""
    text = "\n".join(program.source for program, _ in many)
    unseen = []
    for plan in templates():
        longest = re.escape(max(plan.text.splitlines(), key=len))
        line = re.sub(r"\\{(\w+)\\}", lambda gap: r"[xyh]\d+" if gap[1] in "012y" else ".*", longest)
        unseen += [] if re.search(line, text) else [plan.text]

    assert unseen == []


def children(result):
    """How many nodes each node of a record is an input of."""
    return Counter(x for node in Graph(result) for x in set(node.inputs))


def depth(result):
    """The longest way back to a leaf."""
    depths = {}
    for node in Graph(result):
        depths[node] = 1 + max((depths[x] for x in node.inputs), default=-1)
    return depths[result]


def is_broadcast(result):
    """Whether some op broadcasts one of its inputs."""
    return any(
        node.op and node.op.broadcasts and node.op.name in ("add", "mul", "sub", "div") and x.shape != node.shape
        for node in Graph(result)
        for x in node.inputs
    )


def has_kink(result):
    """Whether some relu, abs or maximum is just where it has no derivative."""
    return any(
        (node.op.name in ("relu", "leaky_relu", "abs") and not node.inputs[0].data.all())
        or (node.op.name in ("maximum", "minimum") and (node.inputs[0].data == node.inputs[1].data).any())
        for node in Graph(result)
        if node.op
    )


FEATURES = {
    "fan-out": (lambda program, result: max(children(result).values(), default=0) > 2, 0.25),
    "a leaf used more than once": (lambda program, y: any(children(y)[x] > 1 for x in program.leaves), 0.3),
    "several leaves": (lambda program, y: len(program.leaves) > 1, 0.2),
    "depth of 5": (lambda program, y: depth(y) >= 5, 0.35),
    "depth of 15": (lambda program, y: depth(y) >= 15, 0.03),
    "broadcasting": (lambda program, y: is_broadcast(y), 0.15),
    "a kink": (lambda program, y: has_kink(y), 0.01),
    "time": (lambda program, y: any(node.t is not None for node in Graph(y)), 0.15),
    "several steps": (lambda program, y: len({node.t for node in Graph(y)} - {None}) > 1, 0.1),
    "steps that run back": (lambda program, y: "reverse=True" in program.source, 0.03),
    "a scope": (lambda program, y: any(node.scope for node in Graph(y)), 0.1),
    "an empty array": (lambda program, y: any(node.data.size == 0 for node in Graph(y)), 0.005),
    "an array for a result": (lambda program, y: y.size > 1, 0.4),
    "zeros among the numbers": (lambda program, y: any((x.data == 0).any() for x in program.leaves), 0.1),
}


@pytest.mark.parametrize("name", FEATURES)
def test_programs_have_it_all(many, name):
    """Of a thousand programs so large a share has the feature."""
    holds, share = FEATURES[name]

    assert np.mean([bool(holds(program, result)) for program, result in many]) >= share


def test_every_program_is_decent(many):
    """Its numbers are finite and not too large; its leaves are named in order; it keeps to its length."""
    for program, result in many:
        assert np.abs(result.data).max(initial=0) <= 1e3
        assert [x.name for x in program.leaves] == [f"x{i}" for i in range(len(program.leaves))]
        assert 1 <= len(program.leaves) <= 3
        assert all(x.requires_grad and x.is_leaf for x in program.leaves)
        assert result.requires_grad


def test_nothing_is_computed_in_vain(many):
    """All that the function makes is needed for what it returns, and every leaf is."""
    for program, _ in many:
        function = ast.parse(function_of(program)).body[0]
        loaded = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        made = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}

        assert {name for name in made if re.fullmatch(r"[yh]\d+", name)} <= loaded
        assert {x.name for x in program.leaves} <= loaded


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        ({"recurrent": False}, lambda p: "steps(" not in p.source),
        ({"max_length": 2}, lambda p: len(re.findall(r"^ +[yh]\d+\S* =|^ +hs = ", p.source, re.MULTILINE)) <= 2 * 2),
        ({"leaves": (1, 1)}, lambda p: len(p.leaves) == 1),
        ({"dtype": np.float32}, lambda p: p(*p.leaves).dtype == np.float32 and 'dtype="float32"' in p.source),
        ({"smooth": True}, lambda p: not keys_of(p(*p.leaves)) & {"abs", "sign"} and not has_kink(p(*p.leaves))),
        ({"ops": [softsign]}, lambda p: True),
    ],
)
def test_options_are_kept_to(options, holds):
    """Without time, short, of one leaf, in float32, where all is smooth: in every program."""
    found = sample(60, **options)

    assert len(found) >= 50
    assert all(holds(program) for program in found)


def test_options_that_make_no_sense():
    """The error says what was given."""
    with pytest.raises(DataError, match=r"at least 1, got 0"):
        programs(max_length=0)
    with pytest.raises(DataError, match=r"got 12 and \(3, 2\)"):
        programs(leaves=(3, 2))


# ---- the text is what is run ---------------------------------------------------------


def test_the_text_runs_as_it_is(tmp_path):
    """Written into a file, it runs, checks its gradient, and finds nothing wrong."""
    program = next(p for p in sample(200) if "steps" in p.source and "scope" in p.source and len(p.leaves) > 1)
    path = tmp_path / "pasted.py"
    path.write_text(program.source)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("ops", [(), (softsign, (scaled, {"factor": [2.0, -0.5]}))])
def test_the_text_makes_the_same_numbers(ops, dtype):
    """Run as a whole, with its imports, it makes the leaves and the result, to the last bit."""
    for program in sample(50, ops=ops, dtype=dtype):
        text = program.source
        made = {"softsign": softsign, "scaled": scaled}
        exec(text[: text.rindex("gradcheck(")], made)
        leaves = [made[x.name] for x in program.leaves]
        expected, actual = program(*program.leaves), made["program"](*leaves)

        assert expected.dtype == actual.dtype == dtype
        np.testing.assert_array_equal(actual.data, expected.data)
        for x, leaf in zip(program.leaves, leaves, strict=True):
            np.testing.assert_array_equal(leaf.data, x.data)
            assert (leaf.name, leaf.dtype, leaf.requires_grad) == (x.name, x.dtype, True)


def test_the_text_is_clean(many, tmp_path):
    """No import is missing and none is too many; no line has a gap left."""
    path = tmp_path / "all.py"
    found = [program.source for program, _ in many[::10]]
    for source in found:
        path.write_text(source)
        imported = {a.asname or a.name for n in ast.walk(ast.parse(source)) for a in getattr(n, "names", [])}
        rest = "\n".join(line for line in source.splitlines() if not re.match("import|from", line))

        assert imported <= set(re.findall(r"\w+", rest))
        assert "{" not in source


def test_nodes_name_lines_of_the_text(many):
    """The source line of each node is a line of the text, as a traceback shows it."""
    program = max([program for program, _ in many], key=lambda program: len(program.source))
    again = program(*program.leaves)
    lines = program.source.splitlines()

    for node in Graph(again):
        if node.op:
            assert node.source == f"{node.filename}:{node.lineno}"
            assert linecache.getline(node.filename, node.lineno).rstrip("\n") == lines[node.lineno - 1]
            assert re.search(r"[yh]\d+|C = |hs|for t, x_t|past|weights|z = ", lines[node.lineno - 1])
    assert re.fullmatch(r"<program [0-9a-f]{4}>", again.filename)


def test_what_is_shown_is_the_text():
    """A program that fails is printed as its source."""

    @settings(max_examples=50, **QUIET)
    @given(programs())
    def fails(program):
        assert "tanh" not in program.source

    with pytest.raises(AssertionError) as error:
        fails()

    shown = "\n".join(error.value.__notes__)
    assert "\n\n\ndef program(x0):\n    y1 = " in shown
    assert "Program(" not in shown


def test_only_so_many_texts_are_remembered():
    """Tracebacks can show the latest thousand programs; older ones leave the memory."""
    for i in range(1100):
        Program([], f"def program():\n    return {i}\n\n\ngradcheck(program, [])\n")()

    assert sum(name.startswith("<program") for name in linecache.cache) <= 1000


def test_a_program_is_a_function():
    """Of other leaves it gives another result; and it counts its ops."""
    program = find(programs(), lambda p: "F.tanh(x0)" in p.source, settings=settings(max_examples=5000, **QUIET))

    assert program(Tensor([1.0, 2.0])).tolist() == np.tanh([1.0, 2.0]).tolist()
    assert program.ops == 1


# ---- ops of one's own ----------------------------------------------------------------


def test_an_op_that_is_given_is_used_often():
    """By half of the programs and more; on its own and in time."""
    found = sample(300, ops=[softsign])

    assert np.mean(["softsign(" in function_of(p) for p in found]) > 0.5
    assert any(re.search(r"steps.*\n    +.*softsign\(", p.source) for p in found)


def test_a_function_of_several_arguments_and_options():
    """The arguments by its signature, its keyword-only ones from a list or a strategy."""
    found = sample(200, ops=[(scaled, {"factor": [2.0, -0.5], "shift": st.floats(0, 1, width=16)})])
    text = "\n".join(function_of(p) for p in found)

    assert {"2.0", "-0.5"} == set(re.findall(r"scaled\([xyh]\d+, [xyh]\d+, factor=(\S+), shift=[\d.e-]+\)", text))
    assert len(set(re.findall(r"shift=([\d.e-]+)", text))) > 3


def test_an_op_is_imported_from_where_it_is():
    """By its module where it is found there; else a comment says where it was written."""

    def inner(x):
        return x * 3.0

    op = Op(inner, lambda g, out, x: (g * 3.0,))
    here, there = sample(30, ops=[softsign]), sample(30, ops=[op])

    assert any(f"from {__name__} import softsign\n" in p.source for p in here)
    assert any(re.search(r"# put .* inner here: .*inner, test_testing_programs.py:\d+\n", p.source) for p in there)


def test_ops_whose_names_are_taken():
    """Two of one name, and names that a program uses itself, are told apart."""
    ops = [Op(lambda x: x * 2, lambda g, out, x: (g * 2,), name=name) for name in ("f", "f", "y1")]
    found = sample(60, ops=ops)

    text = "\n".join(function_of(p) for p in found)
    assert {"f_", "f__", "y1_"} <= set(re.findall(r"= (\w+)\(", text))
    for program in found:
        assert gradcheck(program, program.leaves)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (table.tanh, "can be called with tensors, got <op tanh>"),
        (scaled, "keyword-only arguments factor of .*scaled"),
        (lambda *, k=1: k, "at least one argument"),
    ],
)
def test_ops_that_cannot_be_drawn(op, message):
    """The error says what is missing."""
    with pytest.raises(DataError, match=message):
        programs(ops=[op])


def test_ufuncs_are_ops():
    """NumPy's functions, which tensors know."""
    assert any("tanh(" in p.source and "F.tanh" not in p.source for p in sample(50, ops=[np.tanh]))


# ---- the gradient --------------------------------------------------------------------


@given(programs())
@examples(50)
def test_the_gradient_of_a_random_program_is_right(program):
    """`gradcheck` has nothing to say against any."""
    gradcheck(program, program.leaves)


@given(programs(max_length=6))
@examples(10)
def test_the_gradient_of_its_gradient_is_right(program):
    """To the second order."""
    gradcheck(program, program.leaves, order=2)


@given(programs(ops=[softsign, F.tanh], dtype=np.float32))
@examples(30)
def test_the_gradient_of_a_random_program_in_single_precision(program):
    """And in float32, with ops of one's own."""
    gradcheck(program, program.leaves)


# ---- shrinking -----------------------------------------------------------------------


def too_large(rule):
    """A rule whose first gradient is 1 % too large."""

    def vjp(g, out, *xs, **fixed):
        first, *rest = rule(g, out, *xs, **fixed)
        first = first.array() if hasattr(first, "array") else first
        return (1.01 * first, *rest)

    return vjp


def counterexample(op, monkeypatch, wrong, **options):
    """The smallest program that hypothesis finds on which a wrong rule gives another gradient than the right one."""
    right = op.vjp

    def differ(program):
        y = program(*program.leaves)
        weights = np.random.default_rng(0).normal(size=y.shape)
        found = []
        for rule in (right, wrong):
            monkeypatch.setattr(op, "vjp", rule)
            arrived = {visit.node: visit.grad for visit in sweep(y, weights)}
            found.append([arrived.get(x, np.zeros(x.shape)) for x in program.leaves])
        return not all(np.allclose(a, b, rtol=1e-6, atol=1e-12) for a, b in zip(*found, strict=True))

    return find(programs(**options), differ, settings=settings(max_examples=3000, derandomize=True, **QUIET))


FEW = ["softmax", "where"]
ALL = sorted(set(vars(table)) - LEFT_OUT - FLAT)


@pytest.mark.parametrize("name", [*FEW, *[pytest.param(n, marks=pytest.mark.slow) for n in ALL if n not in FEW]])
def test_a_counterexample_is_small(name, monkeypatch):
    """Were the rule of an op wrong, the example that is shown would have 3 ops at most."""
    op = getattr(table, name)
    program = counterexample(op, monkeypatch, too_large(op.vjp))

    assert name in keys_of(program(*program.leaves))
    assert program.ops <= 3


def test_a_counterexample_with_an_op_of_ones_own_is_that_op(monkeypatch):
    """A single call."""
    program = counterexample(softsign, monkeypatch, too_large(softsign.vjp), ops=[softsign])

    assert re.search(r"    y1 = softsign\(x0\)\n    return y1$", function_of(program))


def test_a_counterexample_in_time_is_one_step(monkeypatch):
    """What is wrong within a recurrence only is shown in the shortest."""
    op = table.tanh
    loops = [t for t in templates() if t.recurrent]
    assert loops
    at_fault = lambda p: any(n.op is op and n.t is not None for n in Graph(p(*p.leaves)))  # noqa: E731
    program = find(programs(), at_fault, settings=settings(max_examples=3000, derandomize=True, **QUIET))

    assert program.ops <= 3
    assert {node.t for node in Graph(program(*program.leaves))} - {None} in ({0}, {1})
