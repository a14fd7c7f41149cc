"""Case files as values: what a file says, before anything is done about it. The format is told in `../README.md`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

CALL = re.compile(r"(?:(?P<times>\d+) x )?(?P<method>[A-Z]+) (?P<target>\S+)$")
REPLY = re.compile(r"(?:(?P<status>\d{3})(?: (?P<media>\S+))?|(?P<broken>closed|reset|rubbish|incomplete))$")
HEADER = re.compile(r"(?P<name>[A-Za-z0-9-]+):\s*(?P<value>.*)$")
STEP = re.compile(r"(?P<word>api|contract|header|scenario|settings|seed|clock)(?:\s+(?P<rest>.*))?$", re.DOTALL)


class CaseError(Exception):
    """A line that is no part of a case: file, line and reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An `@` line: `word` is its kind, `rest` what follows."""

    line: int
    word: str
    rest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A call (`method`, `target`) or an expected reply (`status`, `media`)."""

    line: int
    start: dict[str, str]
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A call and what must come back."""

    call: Message
    reply: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case: its title, where it stands, and its steps in order."""

    title: str
    file: Path
    line: int
    steps: tuple[Step | Exchange, ...] = ()

    @property
    def needs_socket(self) -> bool:
        """Tell whether a reply is expected that no whole one is: it takes a connection to see that."""
        return any(isinstance(step, Exchange) and step.reply.start["broken"] for step in self.steps)

    @property
    def id(self) -> str:
        """Return the name by which a test runner shows the case."""
        return f"{self.file.parent.name}/{self.file.stem}: {self.title}"


@dataclass(slots=True)
class Block:
    """A run of lines with one sign: `=`, `@`, `>` or `<`, and the free lines below them."""

    sign: str
    line: int
    signed: list[str]
    free: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the free lines without the empty ones around them."""
        return "\n".join(self.free).strip()


def read_cases(file: Path) -> tuple[Case, ...]:
    """Return the cases of `file`; raises `CaseError` at the first line that is wrong."""
    opening: list[Step | Exchange] = []
    cases: list[tuple[Block, list[Step | Exchange]]] = []
    call: Message | None = None
    for block in _blocks(file):
        steps = cases[-1][1] if cases else opening
        if call is not None and block.sign != "<":
            raise _wrong(file, call.line, "a call has no expected reply ('< STATUS')")
        if block.sign == "=":
            cases.append((block, []))
        elif block.sign == "@":
            steps.append(_step(file, block))
        elif block.sign == ">":
            call = _message(file, block, CALL)
        elif call is None:
            raise _wrong(file, block.line, "a reply without a call above it")
        else:
            steps.append(Exchange(call=call, reply=_message(file, block, REPLY)))
            call = None
    if call is not None:
        raise _wrong(file, call.line, "a call has no expected reply ('< STATUS')")
    return tuple(_case(file, head, (*opening, *steps)) for head, steps in cases)


def _blocks(file: Path) -> Iterator[Block]:
    block: Block | None = None
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        sign, text = line[:1], line[1:].strip()
        if sign == "#":
            continue
        if sign in {"=", "@", ">", "<"}:
            if block is not None and block.sign == sign and sign in "><" and not block.free:
                block.signed.append(text)
                continue
            if block is not None:
                yield block
            block = Block(sign, number, [text])
        elif block is not None:
            block.free.append(line)
        elif line.strip():
            raise _wrong(file, number, "text before the first '=', '@' or '>' line (a comment begins with '#')")
    if block is not None:
        yield block


def _step(file: Path, block: Block) -> Step:
    found = STEP.match("\n".join([*block.signed, *block.free]).strip())
    if found is None:
        raise _wrong(file, block.line, "after '@' comes one of api, contract, header, scenario, settings, seed, clock")
    return Step(line=block.line, word=found["word"], rest=(found["rest"] or "").strip())


def _message(file: Path, block: Block, start: re.Pattern[str]) -> Message:
    first = start.match(block.signed[0])
    if first is None:
        wanted = "'> METHOD PATH'" if start is CALL else "'< STATUS', '< STATUS MEDIA/TYPE' or '< closed'"
        raise _wrong(file, block.line, f"expected {wanted}")
    fields = [HEADER.match(line) for line in block.signed[1:]]
    if None in fields:
        raise _wrong(file, block.line + 1 + fields.index(None), "expected 'Name: value'")
    headers = tuple((found["name"], found["value"]) for found in fields if found is not None)
    return Message(line=block.line, start=first.groupdict(), headers=headers, body=block.text)


def _case(file: Path, head: Block, steps: tuple[Step | Exchange, ...]) -> Case:
    case = Case(title=head.signed[0], file=file, line=head.line)
    if not any(isinstance(step, Exchange) for step in steps):
        raise _wrong(file, head.line, "a case without a call")
    return replace(case, steps=steps)


def _wrong(file: Path, line: int, reason: str) -> CaseError:
    return CaseError(f"{file.name}, line {line}: {reason}.")
