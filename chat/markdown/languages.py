"""The languages that are coloured.

Not all of the library's 600: their lexers are regular expressions, and not each of
them is known to end in time whatever it is given.
"""

_NAMES: dict[str, str] = {
    "bash": "sh shell zsh console-script",
    "c": "h",
    "console": "shell-session terminal",
    "cpp": "c++ cc hpp",
    "csharp": "c# cs",
    "css": "",
    "dart": "",
    "diff": "patch udiff",
    "docker": "dockerfile",
    "elixir": "ex exs",
    "erlang": "erl",
    "fsharp": "f# fs",
    "go": "golang",
    "graphql": "",
    "haskell": "hs",
    "hcl": "terraform tf",
    "html": "",
    "http": "",
    "ini": "cfg conf",
    "java": "",
    "javascript": "js jsx mjs",
    "json": "jsonc json5",
    "julia": "jl",
    "kotlin": "kt",
    "latex": "tex",
    "lua": "",
    "make": "makefile",
    "matlab": "",
    "nginx": "",
    "nix": "",
    "objective-c": "objc",
    "ocaml": "ml",
    "perl": "pl",
    "php": "",
    "postgresql": "postgres",
    "powershell": "ps1 pwsh",
    "properties": "",
    "protobuf": "proto",
    "pycon": "",
    "python": "py python3 py3",
    "r": "",
    "ruby": "rb",
    "rust": "rs",
    "scala": "",
    "scss": "",
    "sql": "mysql sqlite",
    "swift": "",
    "toml": "",
    "typescript": "ts tsx",
    "vim": "",
    "xml": "svg",
    "yaml": "yml",
    "zig": "",
}

# As models write it, to the library's name.
LEXERS: dict[str, str] = {
    alias: name for name, aliases in _NAMES.items() for alias in (name, *aliases.split())
}
