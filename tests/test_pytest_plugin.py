"""The plugin of pytest and `gradient_property`, as a project that uses them sees them."""

import inspect
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tinygrad_seq import Op, Tensor, nn
from tinygrad_seq import functional as F
from tinygrad_seq.errors import GradientError
from tinygrad_seq.testing import (
    GradientCheckError,
    check_module,
    check_op,
    check_recurrent,
    gradcheck,
    gradient_property,
)
from tinygrad_seq.testing.pasting import pasted

PLUGIN = ("-p", "tinygrad_seq.pytest_plugin")
HYPOTHESIS = ("-p", "_hypothesis_pytestplugin")

PROJECT = """
import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from tinygrad_seq import Op
from tinygrad_seq.testing import gradcheck, gradient_property

vectors = npst.arrays(float, st.integers(1, 3), elements=st.integers(-2, 2).map(float))

def cube(x):
    return x**3

def cube_vjp(g, out, x):
    return (g * 2 * x**2,)  # RULE

cube = Op(cube, cube_vjp)

@pytest.fixture(scope="module")
def factor():
    return 2.0

@pytest.mark.parametrize("power", [1, 2])
@gradient_property(vectors)
def test_right(factor, power, x):
    "A docstring."
    return factor * x**power

@settings(deadline=None, phases=[Phase.generate, Phase.shrink])
@gradient_property(x=vectors, n=st.integers(2, 3))
def test_wrong(x, n):
    return cube(x) * n  # CALL

class TestOfAClass:
    @gradient_property(vectors, max_examples=50)
    def test_method(self, x):
        return x * x

def test_wrong_in_a_group():
    with pytest.raises(AssertionError) as caught:
        gradcheck(cube, [[1.0]])
    raise ExceptionGroup("several", [ValueError("another"), caught.value])

def test_wrong_as_a_cause():
    try:
        gradcheck(cube, [[1.0]])
    except AssertionError as error:
        raise KeyError("no") from error

def test_fixture(gradcheck):
    assert gradcheck(np.tanh, [[1.0]])

def test_another_failure():
    assert 1 == 2

"""


def pytest_of(folder, *options, autoload=False, **environment):
    """What pytest says of the tests in a folder, in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "HYPOTHESIS"))}
    environment = {**kept, "OPENBLAS_NUM_THREADS": "1", "CI": "1", **environment}
    if not autoload:
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "test_ops.py").write_text(PROJECT, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def ran(project):
    """The project's tests under a budget of three examples, with pictures."""
    options = ("--gradcheck-budget", "3", "--gradcheck-pictures", "pictures", "-rA", "--tb=short")
    return pytest_of(project, *PLUGIN, *HYPOTHESIS, *options, "--hypothesis-show-statistics")


def sections(output, test):
    """What stands under "gradient check" in the report on a test."""
    (report,) = re.findall(rf"^_+ {test} _+\n(.*?)(?=^_____|^=====)", output, re.M | re.S)
    return re.findall(r"^-+ gradient check -+\n(.*?)(?=^-----|\Z)", report, re.M | re.S)


def line(text):
    return f"test_ops.py:{next(n for n, line in enumerate(PROJECT.splitlines(), 1) if line.endswith(text))}"


def test_right_and_wrong_are_told_apart(ran):
    """Properties with fixtures, parameters and methods pass; whatever is wrong fails, for the reason it fails."""
    passed = set(re.findall(r"^PASSED test_ops.py::(\S+)", ran.stdout, re.M))
    failed = set(re.findall(r"^FAILED test_ops.py::(\S+)", ran.stdout, re.M))

    assert passed == {"test_right[1]", "test_right[2]", "TestOfAClass::test_method", "test_fixture"}
    assert failed == {"test_wrong", "test_wrong_in_a_group", "test_wrong_as_a_cause", "test_another_failure"}


def test_a_wrong_gradient_has_a_section_of_its_own(ran):
    """The op, the input, the call, the rule, and the smallest inputs as code."""
    (text,) = sections(ran.stdout, "test_wrong")

    assert "derivative of cube is wrong for input 0" in text
    assert line("# CALL") in text
    assert line("# RULE") in text
    assert "x = np.array([" in text
    assert "n = 2" in text


@pytest.mark.parametrize("test", ["test_wrong_in_a_group", "test_wrong_as_a_cause"])
def test_a_wrong_gradient_is_found_inside_other_exceptions(ran, test):
    """In a group, and as the cause."""
    (text,) = sections(ran.stdout, test)

    assert "derivative of cube is wrong for input 0" in text


def test_other_failures_have_no_section(ran):
    """The plugin says nothing of what it knows nothing of."""
    assert sections(ran.stdout, "test_another_failure") == []


def test_the_report_and_a_picture_of_the_graph_are_written(project, ran):
    """Into the folder that was asked for, under the name of the test; the section says where."""
    (text,) = sections(ran.stdout, "test_wrong")
    written = re.findall(r"^written: (.*)$", text, re.M)

    assert sorted(os.path.basename(path).rsplit(".")[-1] for path in written) == ["svg", "txt"]
    assert all(os.path.dirname(path) == str(project / "pictures") for path in written)
    assert all("test_wrong" in path and os.path.getsize(path) for path in written)


def test_the_budget_is_the_number_of_examples(ran):
    """Of each property, also of those that say how many themselves."""
    assert re.findall(r"test_method:\n.*?(\d+) passing", ran.stdout, re.S) == ["3"]


# ---- harmless ------------------------------------------------------------------------


def outcomes(output):
    """How many tests passed, failed and so on."""
    last = output.strip().splitlines()[-1]
    return {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?|warnings?)", last)}


def test_in_a_process_of_its_own(project):
    """Under pytest-xdist the reports come back from the worker, with their sections."""
    pytest.importorskip("xdist")
    options = ("-p", "xdist", "-n", "1", "--gradcheck-budget", "2", "-k", "method or cause")
    ran = pytest_of(project, *PLUGIN, *HYPOTHESIS, *options)

    assert outcomes(ran.stdout) == {"passed": 1, "failed": 1}
    assert "derivative of cube is wrong" in sections(ran.stdout, "test_wrong_as_a_cause")[0]


def test_without_hypothesis(tmp_path):
    """In a project that has no hypothesis pytest runs as ever, and does not load what it need not."""
    (tmp_path / "conftest.py").write_text("import sys\nsys.modules['hypothesis'] = None\n", "utf-8")
    (tmp_path / "test_plain.py").write_text(
        "import sys\ndef test_plain():\n    assert 'tinygrad_seq.testing' not in sys.modules\n"
        "def test_failing():\n    assert False\n",
        "utf-8",
    )
    ran = pytest_of(tmp_path, *PLUGIN, "--gradcheck-budget", "3", "--gradcheck-pictures", "pictures")

    assert outcomes(ran.stdout) == {"passed": 1, "failed": 1}
    assert not (tmp_path / "pictures").exists()


def test_switched_off(project):
    """With `-p no:tinygrad_seq` the properties are tests as before, and the options are unknown."""
    off = ("-p", "no:tinygrad_seq")
    ran = pytest_of(project, *off, "-k", "method or cause", autoload=True)
    asked = pytest_of(project, *off, "--gradcheck-budget", "3", autoload=True)

    assert outcomes(ran.stdout) == {"passed": 1, "failed": 1}
    assert "gradient check" not in ran.stdout
    assert "unrecognized arguments: --gradcheck-budget" in asked.stderr


def test_installed():
    """Whoever installs the package has the plugin, under the package's name."""
    found = {entry.name: entry.value for entry in entry_points(group="pytest11")}

    assert found["tinygrad_seq"] == "tinygrad_seq.pytest_plugin"


def test_a_budget_that_is_none_is_refused(project):
    """By the usage message, before anything runs."""
    ran = pytest_of(project, *PLUGIN, "--gradcheck-budget=0")

    assert ran.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--gradcheck-budget: expected a number of examples, 1 or more, got '0'" in ran.stderr


def test_loading_the_plugin_loads_nothing_more_than_the_package():
    """Every run of pytest loads it, where the package is installed."""
    program = (
        "import sys, pytest, tinygrad_seq; before = {*sys.modules}; import tinygrad_seq.pytest_plugin\n"
        "print(*{*sys.modules} - before)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert loaded.split() == ["tinygrad_seq.pytest_plugin"]


# ---- gradient_property, called -------------------------------------------------------

FEW = st.integers(-2, 2).map(float)
VECTORS = npst.arrays(float, st.integers(1, 3), elements=FEW)


def wrong_cube():
    return Op(lambda x: x**3, lambda g, out, x: (g * 2 * x**2,), name="cube")


def test_a_property_is_a_function_like_the_one_decorated():
    """Name, docstring, module and line are kept; of the arguments, those that nothing is drawn for."""

    def test_cube(factor, x):
        """A promise."""
        return x**3

    made = gradient_property(VECTORS)(test_cube)

    assert (made.__name__, made.__doc__, made.__module__) == ("test_cube", "A promise.", __name__)
    assert [*inspect.signature(made).parameters] == ["factor"]
    assert inspect.getsource(made) == inspect.getsource(test_cube)


def test_a_property_is_checked_by_calling_it():
    """Without pytest, and with the smallest inputs in the message."""
    cube = wrong_cube()

    @settings(max_examples=20, derandomize=True, database=None)
    @gradient_property(VECTORS, n=st.integers(2, 3))
    def test_cube(x, n):
        return cube(x) * n

    with pytest.raises(GradientCheckError) as caught:
        test_cube()

    assert caught.value.report.faults[0].op is cube
    assert caught.value.report.notes[-2:] == ("x = np.array([1.0])", "n = 2")


def test_only_floating_point_arrays_and_tensors_are_differentiated():
    """In tuples, lists and dictionaries too; numbers, integers, masks and constants come as they were drawn."""
    seen = []
    drawn = {
        "x": st.just(np.array([1.0, 2.0])),
        "pair": st.just((np.array([3.0, 4.0]), [0, 1])),
        "table": st.just({"w": Tensor([5.0, 6.0], requires_grad=True, name="weight"), "c": Tensor([1.0, 1.0])}),
        "p": st.just(0.5),
        "mask": st.just(np.array([True, False])),
    }

    @gradient_property(**drawn, max_examples=1)
    def test_all(x, pair, table, p, mask):
        seen.append((x.name, pair[0].name, table["w"].name, table["c"].requires_grad))
        assert (pair[1], p, mask.tolist()) == ([0, 1], 0.5, [True, False])
        return F.where(mask, x * pair[0][pair[1]], table["w"] * table["c"] * p)

    test_all()

    assert seen[0] == ("x", "pair", "weight", False)


def test_more_strategies_than_arguments_are_an_error():
    """The message names the function and counts both."""
    with pytest.raises(TypeError, match="got 2 strategies for test_cube, which has 1 arguments to fill"):

        @gradient_property(VECTORS, VECTORS)
        def test_cube(x):
            return x**3


def test_a_property_of_nothing_to_differentiate_is_an_error():
    """It would hold whatever the rules are; the message says what was drawn, and what to draw."""

    @gradient_property(st.just([1, 2]), n=st.just(3), max_examples=1)
    def test_nothing(xs, n):
        return F.tanh(np.array([1.0]))

    with pytest.raises(GradientError, match=r"test_nothing was given nothing .*\(xs: list, n: int\): draw an array"):
        test_nothing()


def test_a_property_asks_for_the_second_derivative():
    """With order=2 a rule that is right, but not recorded, is wrong."""
    square = Op(lambda x: x * x, lambda g, out, x: (g * 2 * getattr(x, "data", x),), name="square")
    once = gradient_property(VECTORS, max_examples=10)(lambda x: square(x))
    twice = gradient_property(VECTORS, order=2)(lambda x: square(x))

    once()
    with pytest.raises(GradientCheckError, match="square"):
        settings(max_examples=10, phases=[Phase.generate])(twice)()


class Steps:
    """A program, as far as a property knows it: a function with leaves, and its source."""

    def __init__(self, leaves, source, cube):
        self.leaves, self.source, self.cube = leaves, source, cube

    def __call__(self, x):
        return self.cube(x)


def test_a_property_of_programs_differentiates_by_their_leaves():
    """The function gets the program with the leaves to use; a failure shows the program's source."""
    drawn = st.builds(
        lambda x: Steps([Tensor(x, requires_grad=True)], "x0 = …\ny = cube(x0)", wrong_cube()), VECTORS
    )

    @settings(max_examples=20, derandomize=True, database=None)
    @gradient_property(drawn)
    def test_program(program):
        return program(*program.leaves)

    with pytest.raises(GradientCheckError) as caught:
        test_program()

    assert caught.value.report.notes[-3:] == ("the smallest inputs found:", "x0 = …", "y = cube(x0)")


def test_a_property_of_programs_moves_their_leaves():
    """The function is run at other points than the one drawn, which stays as it is."""
    drawn = Steps([Tensor([0.5], requires_grad=True, name="x0")], "", F.tanh)
    seen = set()

    @gradient_property(st.just(drawn), max_examples=1)
    def test_program(program):
        seen.add(complex(program.leaves[0].data[0]))
        return program(*program.leaves)

    test_program()

    assert len(seen) > 1
    assert drawn.leaves[0].data == 0.5


# ---- to paste ------------------------------------------------------------------------


@gradient_property(VECTORS, max_examples=5)
def test_a_property_in_a_module_is_collected(x):
    """It stands here as in a user's file."""
    return F.tanh(x)


def pastes(value):
    """What the pasted line gives."""
    (text,) = pasted("x", value)
    made = {"np": np, "Tensor": Tensor}
    exec(text, made)
    return made["x"]


KINDS = st.sampled_from([np.float64, np.float32, np.int64, np.int32, np.bool_])


@settings(max_examples=50)
@pytest.mark.parametrize("order", ["C", "F", "backward"])
@given(st.data())
def test_what_is_pasted_is_what_was_drawn(order, data):
    """Numbers to the last bit, NaN and infinities, dtypes, shapes, empty ones, the order in memory."""
    array = data.draw(KINDS.flatmap(lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, min_side=0))))
    if order != "C":
        array = np.asfortranarray(array) if order == "F" else np.asarray(np.flip(array.copy()))
    again = pastes(array)

    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert again.tobytes() == array.tobytes() or np.array_equal(again, array, equal_nan=True)
    assert again.strides == array.strides or array.size < 2


def test_nested_arguments_are_pasted():
    """Tuples, lists, dictionaries and tensors, with their names."""
    value = ((np.array(1.0),), {"a": [Tensor([2.0], requires_grad=True, name="w"), 3]})
    (one,), table = pastes(value)

    assert one == np.array(1.0)
    assert (table["a"][0].name, table["a"][0].requires_grad, table["a"][1]) == ("w", True, 3)
    assert table["a"][0].data.tolist() == [2.0]


class Wrong(nn.Module):
    def forward(self, x, state=None):
        return Op(np.sin, lambda g, out, x: (g,), name="sine")(x if state is None else x + state)


WRONG = {
    "gradcheck": lambda: gradcheck(Wrong(), [[1.0]]),
    "check_op": lambda: check_op((np.sin, lambda g, out, x: (g,))),
    "check_module": lambda: check_module(Wrong(), np.ones((2, 3))),
    "check_recurrent": lambda: check_recurrent(Wrong(), np.ones((3, 2, 3)), initial=np.ones((2, 3))),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_traceback_ends_where_the_check_is_called(name):
    """No line of the library stands between the test and what is wrong."""
    with pytest.raises(GradientCheckError, match="derivative of") as caught:
        WRONG[name]()

    assert {entry.path.name for entry in caught.traceback.filter(caught)} == {"test_pytest_plugin.py"}
