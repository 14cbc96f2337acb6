"""Beam search: who the parents are, when genomes may grow, and what changes."""

import math

import pytest
from bits import BitSpace

from zero.errors import ZeroError
from zero.rng.splitmix import below, new_state
from zero.search import beam
from zero.search.decisions import checked, drawn
from zero.search.protocol import Proposal


class Words:
    """Words of up to four letters; they grow by a letter at their end."""

    mutations, letters, most = ("letter",), "abc", 4

    def random(self, rng):
        return self.genome_of(drawn(self.choices, rng))

    def mutate(self, genome, rng):
        return genome[:-1] + self.letters[below(rng, 3)], "letter"

    def smallest(self):
        return list(self.letters)

    def grown(self, genome):
        return [genome + letter for letter in self.letters] if len(genome) < self.most else []

    def size_of(self, genome):
        return len(genome)

    def choices(self, decisions):
        if len(decisions) == self.most or "end" in decisions:
            return ()
        return (*self.letters, *(["end"] if decisions else []))

    def genome_of(self, decisions):
        return "".join(n for n in checked(self.choices, decisions) if n != "end")

    def decisions_of(self, genome):
        if "?" in genome:
            raise ZeroError("no decision gives ?")
        return (*genome, *(["end"] if len(genome) < self.most else []))

    def text(self, genome):
        return genome

    def parse(self, text):
        return text


def search(space, seed=1, **settings):
    return beam.make(
        space, beam.Settings(method="beam", **settings), new_state(seed, "beam", "test")
    )


def made(searcher, fitness, count):
    """Returns the next proposals, told what they are worth; numbers from 1."""
    found = []
    for number in range(1, count + 1):
        found.append(searcher.ask())
        searcher.tell(found[-1], number, fitness(found[-1].genome))
    return found


def test_words_grow_by_one_letter_for_every_five_results():
    proposals = made(search(Words(), growing=1.0), lambda word: word.count("b"), 60)
    sizes = [len(p.genome) for p in proposals]
    for done, size in enumerate(sizes):
        assert size <= 1 + done // 5
    assert max(sizes[5:10]) == 2 and max(sizes) == 4
    by_number = {number: p.genome for number, p in enumerate(proposals, 1)}
    for p in proposals:
        if p.mutation == "grown":
            assert p.genome[:-1] == by_number[p.parent]
        elif p.parent > 0:  # one letter is another one
            assert sum(map(str.__ne__, p.genome, by_number[p.parent])) == 1
            assert len(p.genome) == len(by_number[p.parent])


def test_as_many_children_grow_as_the_settings_say():
    searcher = search(Words(), growing=0.3, trials_per_depth=1)
    searcher.tell(Proposal("a"), 1, 0.5)
    grown = 0
    for _ in range(1000):
        searcher.finished = 9
        grown += searcher.ask().mutation == "grown"
    assert 240 < grown < 360


def test_parents_are_the_best_different_genomes():
    searcher = search(BitSpace(8), beam=3)
    for number in range(1, 9):
        bits = tuple(int(k < number) for k in range(8))
        searcher.tell(Proposal(bits), number, float(number % 5))  # 1 2 3 4 0 1 2 3
    searcher.tell(Proposal((1, 1, 1, 1, 0, 0, 0, 0)), 9, 4.0)  # the same as the fourth
    searcher.tell(Proposal((0,) * 8), 10, math.nan)
    asked = [searcher.ask().parent for _ in range(300)]
    assert set(asked) == set(searcher.parents()) == {4, 3, 8}
    assert all(70 < asked.count(number) < 130 for number in (4, 3, 8))


def test_until_something_can_be_evaluated_genomes_are_of_the_smallest():
    proposals = made(search(Words()), lambda word: -math.inf, 30)
    assert {p.genome for p in proposals} == {"a", "b", "c"}
    assert all((p.parent, p.mutation) == (-1, "smallest") for p in proposals)


def test_a_genome_that_no_decisions_give_still_has_children():
    searcher = search(Words(), growing=0.0)
    searcher.tell(Proposal("a?"), 1, 1.0)
    assert {searcher.ask().genome for _ in range(30)} == {"aa", "ab", "ac"}


@pytest.mark.parametrize("length", [1, 8])
def test_in_a_space_of_one_size_one_decision_changes(length):
    searcher, start = search(BitSpace(length)), (1,) * length
    searcher.tell(Proposal(start), 1, 1.0)
    children = {searcher.ask().genome for _ in range(200)}
    assert children == set(BitSpace(length).neighbours(start))


def test_a_block_that_has_no_other_is_kept_until_it_may_grow():
    """Its mutants are all larger."""

    class OneLetter(Words):
        letters = "a"

        def mutate(self, genome, rng):
            return genome + "a", "letter"

    words = made(search(OneLetter(), growing=1.0), lambda word: 0.5, 12)
    assert [len(p.genome) for p in words[:6]] == [1, 1, 1, 1, 1, 2]
    assert [p.steps for p in words[:6]] == [0, 0, 0, 0, 0, 1]
