"""Writes every mutant of a list of cargo-mutants into one copy of the source, each behind a switch.

    at_once.py LIST COPY OUT

LIST  what `cargo mutants --list --json` says about the tree COPY
COPY  that tree; its kernels are rewritten in place (see switch.rs for what they call)
OUT   a folder: `mutants.json` gets the number, name and file of each mutant that is in the copy, `left_out.json` the
      reason for each that is not

A binary operator becomes a call that applies one of several operators, a function's body gets early returns, a
match arm a guard. Where the compiler refuses that (an operand whose type it cannot tell through a call, constants),
the mutant is left out: `cargo check` runs until there is nothing left to leave out.
"""
import collections
import json
import pathlib
import re
import subprocess
import sys

import tree_sitter
import tree_sitter_rust

HERE = pathlib.Path(__file__).parent
NAMES = {"+": "add", "-": "sub", "*": "mul", "/": "div", "%": "rem", "<<": "shl", ">>": "shr", "&": "bitand",
         "|": "bitor", "^": "bitxor", "==": "eq", "!=": "ne", "<": "lt", ">": "gt", "<=": "le", ">=": "ge"}
TRAITS = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "%": "Rem", "<<": "Shl", ">>": "Shr", "&": "BitAnd",
          "|": "BitOr", "^": "BitXor"}
# Evaluated by the compiler, or not code yet: no switch can be in them.
CONSTANT = {"const_item", "static_item", "array_type", "type_arguments", "const_block", "macro_definition", "token_tree",
            "attribute_item"}
# Types that the compiler can tell through an operator but not through a call.
HINTS = [
    ("classification/matrix.rs", "let mut counts = vec![0; ", "let mut counts = vec![0u64; "),
    ("classification/sort.rs", "(self.packed[position] >> 1 | top).cast_signed()",
     "{ let x: u64 = self.packed[position] >> 1 | top; x.cast_signed() }"),
    ("surface/area.rs", "let (u, v) = (", "let (u, v): (usize, usize) = ("),
    ("surface/near.rs", "let hit = ", "let hit: u64 = "),
    ("surface/surfels.rs", "let mut code = 0;", "let mut code = 0u64;"),
    ("surface/surfels.rs", "let before = rows", "let before: [u64; 4] = rows"),
    ("surface/surfels.rs", "let here = rows", "let here: [u64; 4] = rows"),
    ("survival/order.rs", "let mask = (1 <<", "let mask: usize = (1 <<"),
    ("survival/order.rs", "let mask = crate", "let mask: usize = crate"),
]
ROUNDS_MAX = 20
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))


class File:
    """One source file and its mutants, by the place that they change."""

    def __init__(self, source, mutants, left_out, operators):
        self.source, self.left_out, self.operators_used = source, left_out, operators
        self.operators, self.functions, self.guards = (collections.defaultdict(list) for _ in range(3))
        self.arms, self.written = {}, set()
        lines = source.split(b"\n")
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line) + 1)

        def byte(place):
            line = lines[place["line"] - 1].decode()
            return starts[place["line"] - 1] + len(line[: place["column"] - 1].encode())

        for number, mutant in mutants:
            start, genre = byte(mutant["span"]["start"]), mutant["genre"]
            if number in left_out:
                continue
            if genre in ("BinaryOperator", "UnaryOperator"):
                self.operators[start].append((number, mutant["replacement"]))
            elif genre == "FnValue":
                self.functions[byte(mutant["function"]["span"]["end"])].append((number, mutant["replacement"]))
            elif genre == "MatchArm":
                self.arms[start] = number
            elif genre == "MatchArmGuard":
                self.guards[start].append((number, mutant["replacement"]))
        tree = parser.parse(source).root_node
        self.text = source[: tree.start_byte].decode() + self.visit(tree) + source[tree.end_byte :].decode()
        for number, mutant in mutants:
            if number not in self.written:
                left_out.setdefault(number, f"no switch for {mutant['genre']}")

    def constant(self, node):
        """Whether a node is evaluated by the compiler."""
        while node is not None and node.type != "function_item":
            if node.type in CONSTANT:
                return True
            node = node.parent
        return node is not None and b"const " in self.head(node)

    def head(self, function):
        return self.source[function.start_byte : function.child_by_field_name("name").start_byte]

    def take(self, node, here):
        """The numbers of the mutants at a node; none, and the reason noted, where no switch can be."""
        if self.constant(node):
            self.left_out.update((number, "in a constant") for number, _ in here)
            return False
        self.written.update(number for number, _ in here)
        return True

    def children(self, node, until=None, start=None):
        pieces, at = [], node.start_byte if start is None else start
        for child in node.children:
            if child.start_byte < at:
                continue
            if until is not None and child.start_byte >= until:
                break
            pieces += [self.source[at : child.start_byte].decode(), self.visit(child)]
            at = child.end_byte
        return "".join(pieces) + self.source[at : node.end_byte if until is None else until].decode()

    def visit(self, node):
        kind = node.type
        if kind in ("binary_expression", "compound_assignment_expr"):
            operator = node.child_by_field_name("operator")
            here = self.operators.get(operator.start_byte)
            if here and self.take(node, here):
                return self.operator(node, self.source[operator.start_byte : operator.end_byte].decode(), here)
        elif kind == "unary_expression":
            here = self.operators.get(node.start_byte)
            sign = self.source[node.start_byte : node.start_byte + 1]
            if here and sign in (b"-", b"!") and self.take(node, here):
                name = "neg" if sign == b"-" else "not"
                return f"crate::mutant::{name}({here[0][0]}, {self.visit(node.children[1])})"
        elif kind == "function_item" and node.end_byte in self.functions:
            return self.function(node, self.functions[node.end_byte])
        elif kind == "match_arm":
            for child in [node, *node.children[:2]]:
                number = self.arms.get(child.start_byte)
                if number is not None and self.take(node, [(number, "")]):
                    return self.arm(node, number)
        elif kind == "match_pattern":
            condition = node.child_by_field_name("condition")
            if condition and condition.start_byte in self.guards:
                return self.source[node.start_byte : condition.start_byte].decode() + self.condition(condition)
        return self.children(node)

    def operator(self, node, operator, here):
        left, right = (self.visit(node.child_by_field_name(side)) for side in ("left", "right"))
        if operator in ("&&", "||"):
            # Without its mutant, `a && b` goes on to b when a is true; with it, when a is false.
            compare = "!=" if operator == "&&" else "=="
            return (f"({{ let l: bool = {left}; "
                    f"if l {compare} crate::mutant::on({here[0][0]}) {{ {right} }} else {{ l }} }})")
        numbers = ", ".join(str(number) for number, _ in here)
        if node.type == "compound_assignment_expr":
            arms = "".join(f" if m == {number} {{ {left} {other} r }} else" for number, other in here)
            return (f"{{ let r = {right}; let m = crate::mutant::pick(&[{numbers}]);"
                    f"{arms} {{ {left} {operator} r }} }}")
        others = [other for _, other in here]
        name = NAMES[operator] + "_to_" + "_".join(NAMES[other] for other in others)
        self.operators_used[name] = (operator, others)
        borrow = "" if operator in TRAITS else "&"
        return f"crate::mutant::{name}([{numbers}], {borrow}({left}), {borrow}({right}))"

    def function(self, node, here):
        body = node.child_by_field_name("body")
        signature = self.source[node.start_byte : body.start_byte]
        if b"const " in self.head(node) or b"impl " in signature.split(b"->")[-1]:
            self.left_out.update((number, "in a constant function or one of opaque type") for number, _ in here)
            return self.children(node)
        self.written.update(number for number, _ in here)
        returns = "".join(f" if crate::mutant::on({number}) {{ return {'' if value == '()' else value}; }}"
                          for number, value in here)
        return self.children(node, until=body.start_byte) + "{" + returns + self.children(body)[1:]

    def arm(self, node, number):
        pattern = node.child_by_field_name("pattern")
        condition = pattern.child_by_field_name("condition")
        before = self.source[node.start_byte : (condition or pattern).start_byte].decode()
        if condition:
            guarded = f"{before}crate::mutant::off({number}) && ({self.condition(condition)})"
        else:
            guarded = f"{before}{self.visit(pattern)} if crate::mutant::off({number})"
        return guarded + self.children(node, start=pattern.end_byte)

    def condition(self, condition):
        here = self.guards.get(condition.start_byte, [])
        self.written.update(number for number, _ in here)
        text, number = self.visit(condition), {value: number for number, value in here}
        if not here:
            return text
        return (f"(crate::mutant::on({number.get('true', 0)}) || "
                f"(crate::mutant::off({number.get('false', 0)}) && ({text})))")


def switch(operators):
    """The module that the rewritten code calls."""
    text = (HERE / "switch.rs").read_text()
    for name, (operator, others) in sorted(operators.items()):
        arms = "".join(f" if m == n[{i}] {{ a {other} b }} else" for i, other in enumerate(others))
        if operator in TRAITS:
            bounds = " + ".join(f"core::ops::{TRAITS[o]}<B, Output = O>" for o in [operator, *others])
            head = f"<A: {bounds}, B, O>(n: [u32; {len(others)}], a: A, b: B) -> O"
        else:
            bound = "PartialEq" if {operator, *others} <= {"==", "!="} else "PartialOrd"
            head = f"<A: {bound}<B> + ?Sized, B: ?Sized>(n: [u32; {len(others)}], a: &A, b: &B) -> bool"
        text += f"\n#[inline]\npub(crate) fn {name}{head} {{\n    let m = pick(&n);{arms} {{ a {operator} b }}\n}}\n"
    return text


def rewrite(copy, mutants, originals, left_out):
    """Writes all files; gives the numbers of the mutants in them."""
    operators, written = {}, set()
    by_file = collections.defaultdict(list)
    for number, mutant in mutants.items():
        by_file[mutant["file"]].append((number, mutant))
    for path, here in by_file.items():
        file = File(originals[path], here, left_out, operators)
        text = file.text
        for end, old, new in HINTS:
            if path.endswith(end):
                text = text.replace(old, new)
        written |= file.written
        if (copy / path).read_text() != text:
            (copy / path).write_text(text)
    root = copy / "metrics/kernels/src"
    library = originals["metrics/kernels/src/lib.rs"].decode()
    (root / "lib.rs").write_text(library.replace("\nmod error;", "\n#[allow(warnings)]\nmod mutant;\nmod error;"))
    (root / "mutant.rs").write_text(switch(operators))
    return written


def refused(copy):
    """The numbers of the mutants near the places that the compiler does not accept, and errors without any near."""
    command = ["cargo", "check", "-p", "fiel-kernels", "--message-format=json", "--profile", "mutants"]
    run = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    messages = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    errors = [m["message"] for m in messages
              if m.get("reason") == "compiler-message" and m["message"]["level"] == "error"]
    if run.returncode != 0 and not errors:
        sys.exit(run.stderr)
    found, elsewhere = set(), []
    for error in errors:
        near = set()
        for span in error["spans"]:
            if span["is_primary"] and not span["file_name"].endswith("mutant.rs"):
                lines = (copy / span["file_name"]).read_text().split("\n")
                near |= near_span(lines[span["line_start"] - 1 : span["line_end"]], span)
        found |= near
        if not near and error["spans"]:
            elsewhere.append(error["rendered"])
    return found, elsewhere


def near_span(lines, span):
    if len(lines) == 1:
        line, start, end = lines[0], span["column_start"], span["column_end"]
        for choice in re.finditer(r" if crate::mutant::on\((\d+)\) \{ return .*?\}(?= if crate| |$)", line):
            if choice.start() < start <= choice.end():
                return {int(choice[1])}
        near = numbers(line[start - 1 : end]) or numbers(line[:end])
        if near:
            return near
    return set().union(*map(numbers, lines))


def numbers(text):
    calls = re.findall(r"crate::mutant::\w+\((?:&?\[)?([\d, ]+)", text)
    return {int(number) for call in calls for number in re.findall(r"\d+", call)}


def main():
    source, copy, out = map(pathlib.Path, sys.argv[1:])
    mutants = dict(enumerate(json.loads(source.read_text()), start=1))
    originals = {path: (copy / path).read_bytes() for path in {m["file"] for m in mutants.values()}}
    library = "metrics/kernels/src/lib.rs"
    originals[library] = (copy / library).read_bytes()
    left_out = {}
    for _ in range(ROUNDS_MAX):
        written = rewrite(copy, mutants, originals, left_out)
        found, elsewhere = refused(copy)
        print(f"{len(written)} of {len(mutants)} mutants written, {len(found)} refused", file=sys.stderr)
        if not found and not elsewhere:
            break
        if not found:
            sys.exit("add to HINTS what this needs:\n" + "\n".join(elsewhere))
        left_out.update((number, "the compiler needs the operator itself") for number in found)
    else:
        sys.exit(f"the compiler still refuses mutants after {ROUNDS_MAX} rounds")
    chosen = [{"number": n, "name": m["name"], "file": m["file"]} for n, m in mutants.items() if n in written]
    (out / "mutants.json").write_text(json.dumps(chosen, indent=0))
    rest = [{"name": mutants[n]["name"], "reason": reason} for n, reason in sorted(left_out.items())]
    (out / "left_out.json").write_text(json.dumps(rest, indent=0))


if __name__ == "__main__":
    main()
