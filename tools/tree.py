"""What the checks in tools/ share: the project's files, and C++ text without comments and strings."""

import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILE_BYTES_MAX = 2_000_000
SKIPPED_FOLDERS = {".git", "build", "node_modules"}


def project_files(tracked_only=False):
    """{path: text} of the project's text files: what git tracks or would track; without git, all but build output.

    With `tracked_only`, files that were not added yet are left out, as they are missing from everyone else's tree.
    """
    selection = ["-c"] if tracked_only else ["-co", "--exclude-standard"]
    try:
        listing = subprocess.run(["git", "ls-files", *selection, "-z"], cwd=ROOT, capture_output=True,
                                 check=True)
        paths = [path for path in listing.stdout.decode().split("\0") if path]
    except (OSError, subprocess.CalledProcessError):
        paths = list(walk())
    files = {}
    for path in sorted(set(paths)):
        text = read_text(os.path.join(ROOT, path))
        if text is not None:
            files[path] = text
    return files


def walk():
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), ROOT)


def read_text(path):
    """The text of a file, or None for what is not text, is a link, or is gone."""
    if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > FILE_BYTES_MAX:
        return None
    with open(path, "rb") as file:
        content = file.read()
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


_TOKEN = re.compile(
    r'(?P<raw>R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)")|(?P<line>//(?:\\\n|[^\n])*)|(?P<block>/\*.*?\*/)'
    r'|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<char>(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\')', re.S)


def code_only(text):
    """C++ text with comments blanked and strings emptied; every line keeps its number. Include lines stay whole."""

    def blank(match):
        newlines = "\n" * match.group().count("\n")
        if match.lastgroup in ("line", "block"):
            return newlines or " "
        if match.group("string") and _is_include(text, match.start()):
            return match.group()
        return '""' + newlines

    return _TOKEN.sub(blank, text)


def _is_include(text, position):
    line = text[text.rfind("\n", 0, position) + 1:position]
    return re.match(r"\s*#\s*include\s*$", line) is not None


def report(tool, problems):
    """Prints the problems and returns the exit status."""
    for problem in problems:
        print(problem)
    print(f"{tool}: {len(problems)} problems" if problems else f"{tool}: nothing to report")
    return 1 if problems else 0
