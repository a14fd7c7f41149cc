"""Letting a script learn the ids that its evidence shows, so that what is wrong with them can be told without laws."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from contracts.messages import Exchange
from contracts.model import Contract
from contracts.templates import segments_of
from generators.campaign.playing import Played
from generators.campaign.scripting import Blanks, Offer, id_members, leaves, scalars
from generators.campaign.steps import BLANK, CAPITAL, CAPITALS, PREFIX, Lesson
from generators.locations import json_of

OURS: Final = frozenset((PREFIX, CAPITALS, CAPITAL))  # blanks that every script knows


def ids_told(played: Sequence[Played], evidence: Collection[int], contract: Contract) -> Mapping[int, Sequence[Lesson]]:
    """Return by which lessons the ids that evidence shows are learned from earlier replies, by the steps of these."""
    blanks: Blanks | None = None
    wanted: dict[str, Offer] = {}
    for n, exchange, names in ((one.index, one.exchange, one.names) for one in played if one.exchange is not None):
        blanks = blanks or Blanks(prefix=names[PREFIX], base=0, ids=id_members(contract))
        sent = json_of(exchange.call.body)
        blanks.said |= {*map(str, scalars(sent)), *_path_values(contract, exchange), *names.values()}
        for _, leaf in leaves(exchange.reply.data, (), set()) if n in evidence else ():
            offer = blanks.offers.get(str(leaf))
            if offer is not None and offer.n < n:
                wanted[str(leaf)] = offer
        blanks.hear(n, exchange, sent)
    lessons: dict[int, list[Lesson]] = {}
    for number, offer in enumerate(wanted.values(), 1):
        if all(blank in OURS for token in offer.lesson.path for blank, _ in BLANK.findall(str(token))):
            lessons.setdefault(offer.n, []).append(replace(offer.lesson, name=f"told{number}"))
    return lessons


def _path_values(contract: Contract, exchange: Exchange) -> set[str]:
    """Return what the path of a call says: its segments, or what stands in them for variables."""
    operation = contract.operation(exchange.operation or "")
    segments = segments_of(operation.path if operation is not None else "", exchange.call.path)
    return {piece for pieces in segments for piece in pieces}
