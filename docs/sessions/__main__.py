"""Write the pages of this folder anew: `python docs/sessions`.

Each .txt has the commands of a session, as `tinygrad-seq debug --commands` takes them.  A page is what the debugger
answers to them, with the comments as its text.
"""

import io
from pathlib import Path

from threadpoolctl import threadpool_limits

from tinygrad_seq.cli.debugging import node_called
from tinygrad_seq.cli.records import Asked, new_record
from tinygrad_seq.debugger import Prompt, Session

FOLDER = Path(__file__).parent
PAGES = {  # by the name of the file: a title, and what it is recorded from
    "hello_lstm": ("Stepping back through an LSTM", Asked("lstm", "HELLO"), "L_4"),
}
HEAD = """# {title}

What `tinygrad-seq debug {options} --commands docs/sessions/{name}.txt` prints; made by `make docs`, not typed.
"""


def page(name):
    """The page of one session."""
    title, asked, of = PAGES[name]
    options = f"--model {asked.model} --text {asked.text} --of {of}"
    parts = [HEAD.format(title=title, options=options, name=name)]
    out = io.StringIO()
    with threadpool_limits(1):
        prompt = Prompt(Session(node_called(new_record(asked).loss, of)), out=out)
        prompt.go([])
        for words, commands in passages((FOLDER / f"{name}.txt").read_text("utf-8").splitlines()):
            parts += [words, ""] if words else []
            for line in commands:
                out.write(f"{prompt.prompt}{line}\n")
                prompt.onecmd(line)
            parts += ["```text", out.getvalue().rstrip("\n"), "```", ""]
            out.seek(0)
            out.truncate()
    return "\n".join(parts)


def passages(lines):
    """Comments, and the commands that follow them."""
    words, commands = [], []
    for line in lines:
        if line.startswith("#") and commands:
            yield " ".join(words), commands
            words, commands = [], []
        if line.startswith("#"):
            words.append(line.removeprefix("#").strip())
        elif line.strip():
            commands.append(line)
    yield " ".join(words), commands


def main():
    """Write all pages."""
    for name in PAGES:
        (FOLDER / f"{name}.md").write_text(page(name), "utf-8")


if __name__ == "__main__":
    main()
