"""What a mutant is: one text in src/ replaced by another (README.md).

`seen` says where it has bled: "property N" is docs/raft-properties.md, "adr N" a page of docs/adr,
the rest are other systems. `profile` is the simulator's that finds it soonest.
"""

from dataclasses import dataclass, field

HOURS = 40  # of cluster time; one of them takes about two seconds of a core


@dataclass
class Mutant:
    name: str
    bug: str
    seen: str
    file: str  # under src/
    text: str  # which stands there once
    becomes: str
    also: list = field(default_factory=list)  # more of (file, text, becomes), for a second defence
    profile: str = "swarm"
    hours: float = HOURS  # the budget
    slow: str = ""        # how long it took, if that is too long for every run

    @property
    def changes(self):
        return [(self.file, self.text, self.becomes), *self.also]
