"""The reader of Dockerfiles and the build context keep Docker's rules, as far as they are used here."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import dockerfile
from context import Context
from run_dockerfile import PROJECT


class Dockerfiles(unittest.TestCase):
    def test_stages_flags_and_continued_lines_are_read(self):
        text = "# a comment\nFROM a:1 AS build\nRUN --mount=type=cache,id=x,target=/x one \\\n # why\n && two\nFROM b:2\nCOPY --from=build /a /b\n"
        build, result = dockerfile.read(text)
        self.assertEqual((build.name, build.base, result.name), ("build", "a:1", "1"))
        self.assertEqual((build.steps[0].value, build.steps[0].line), ("one && two", 3))
        self.assertEqual(dockerfile.mount(build.steps[0].flag("mount"))["target"], "/x")
        self.assertEqual(result.steps[0].flag("from"), "build")

    def test_what_is_not_understood_is_an_error(self):
        for text in ("RUN true", "FROM a\nADD x y", "FROM a\nRUN --network=none true", "FROM a\nRUN <<END\nEND", "FROM a\nRUN x \\"):
            with self.subTest(text=text), self.assertRaises(dockerfile.DockerfileError):
                dockerfile.read(text)
        for mount in ("type=secret,id=a,target=/a", "type=cache,target=/a", "type=cache,id=a,target=/a,ro=1"):
            with self.subTest(mount=mount), self.assertRaises(dockerfile.DockerfileError):
                dockerfile.mount(mount)

    def test_variables_and_quotes(self):
        self.assertEqual(dockerfile.pairs('A=1 B="two words" org.x="$V"'), [("A", "1"), ("B", "two words"), ("org.x", "$V")])
        self.assertEqual(dockerfile.expand("$A ${A} ${B:-none} $C.", {"A": "1"}), "1 1 none .")
        self.assertEqual(dockerfile.command('["a", "b c"]'), ["a", "b c"])
        self.assertEqual(dockerfile.command("a | b"), ["/bin/sh", "-c", "a | b"])


class BuildContext(unittest.TestCase):
    def test_the_last_rule_that_fits_decides(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("keep/a.rs", "keep/target/b", "drop/c", "top"):
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            Path(folder, ".dockerignore").write_text("# all but\n*\n!keep\n**/target\n")
            self.assertEqual(Context(folder).files(), ["keep/a.rs"])

    def test_it_holds_what_is_compiled_and_nothing_of_this_machine(self):
        files = Context(PROJECT).files()
        for needed in ("Cargo.toml", "Cargo.lock", "tests/Cargo.toml", "crates/copymill/src/main.rs", "examples/demo-model/demo.gguf"):
            self.assertIn(needed, files)
        tops = {file.split("/")[0] for file in files}
        self.assertEqual(tops, {"Cargo.toml", "Cargo.lock", "LICENSE-APACHE", "LICENSE-MIT", "crates", "deploy", "examples", "tests"})
        # It would compile for the building machine's CPU.
        self.assertNotIn(".cargo/config.toml", files)

    def test_every_manifest_and_source_of_the_workspace_is_in_it(self):
        command = ["git", "ls-files", "crates", "tests/Cargo.toml", "tests/src", "tests/tests"]
        tracked = subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")
        files = set(Context(PROJECT).files())
        self.assertEqual([file for file in tracked if file and (PROJECT / file).exists() and file not in files], [])


if __name__ == "__main__":
    unittest.main()
