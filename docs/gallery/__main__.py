"""Draw the pictures of this folder anew, and write README.md, their index: `python docs/gallery`."""

import ast
import os
import runpy
import tempfile
from pathlib import Path

from threadpoolctl import threadpool_limits

FOLDER = Path(__file__).parent
ORDER = [  # of the scripts in the index
    "rnn_hello", "lstm_textbook", "lstm_folded", "seq2seq_attention", "alignment_map", "self_attention_korean",
    "bidirectional_gru", "lstm_1000_steps", "truncated_bptt", "values", "cell_state", "dark", "terminal", "neuron",
    "double_backward", "gates", "gradient_distance", "influence", "wrong_rule",
]  # fmt: skip
HEAD = """# Gallery

Every picture here is drawn from the record of a computation, by the script beside it: `make docs` runs them all.
Each box of an SVG has a title that tells more: open one in a browser and point at it.
"""


def run(script, folder):
    """Run a script in a folder, as a user would."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        with threadpool_limits(1):
            runpy.run_path(str(script), run_name="__main__")
    finally:
        os.chdir(before)


def entry(script, files):
    """What the index says of a script: its docstring, the pictures that it made, and its code.

    The code stands between ~~~, so that the tests of the examples on pages do not run it a second time.
    """
    text = script.read_text("utf-8")
    title, _, says = ast.get_docstring(ast.parse(text)).partition("\n")
    code = text.split('"""', 2)[2].strip()
    lines = [f"## {title}", "", says.strip(), ""]
    for file in files:
        if file.suffix == ".svg":
            lines += [f"[![{title}]({file.name})]({file.name})", ""]
        elif file.suffix == ".txt":
            lines += ["```text", file.read_text("utf-8").rstrip("\n"), "```", ""]
    summary = f"<summary>{script.name}, which drew it</summary>"
    lines += ["<details>", summary, "", "~~~python", code, "~~~", "", "</details>", ""]
    return "\n".join(lines)


def main():
    """Run all scripts; what they made goes into the folder when all is there."""
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".") as made:
        entries = []
        for name in ORDER:
            with tempfile.TemporaryDirectory(dir=made) as own:
                script = FOLDER / f"{name}.py"
                run(script, own)
                files = sorted(Path(own).iterdir(), key=lambda file: (file.stem != name, file.name))
                entries.append(entry(script, files))
                for file in files:
                    file.replace(Path(made, file.name))
        Path(made, "README.md").write_text("\n".join([HEAD, *entries]), "utf-8")
        for file in sorted(Path(made).iterdir()):
            file.replace(FOLDER / file.name)


if __name__ == "__main__":
    main()
